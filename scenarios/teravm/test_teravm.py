"""Scenario `teravm`: AGW, FEGs and an NG40 tester (`[lab]` of `--ixy-config`), brought to `--ixy-tag`.

The steps come first, each a test; once one has gone wrong, all after it is skipped with that cause. Then the
test lists run, and every case of them is a test. Cases that nobody knew of beforehand become tests when their
list has run.
"""

from __future__ import annotations

from typing import Any


def test_step(ixy_teravm: Any, ixy_step: str) -> None:
    """The step goes well: lease, tag, upgrades, health, and a tester that is idle."""
    ixy_teravm.step(ixy_step)


def test_list(ixy_teravm: Any, ixy_list: str) -> None:
    """The list runs to its end and proves something."""
    ixy_teravm.testlist(ixy_list)


def test_case(ixy_teravm: Any, ixy_case: tuple[str, str]) -> None:
    """The tester's verdict on the case is PASS."""
    ixy_teravm.case(*ixy_case)


def test_rule(ixy_teravm: Any, ixy_rule: str) -> None:
    """What all lists left keeps the rule."""
    ixy_teravm.rule(ixy_rule)
