"""Scenario `forward`: numbered packets go pktgen -> fwd -> pcap, and what arrives is judged.

Each node builds the whole target. Then pcap, fwd and pktgen are started in that order, and pcap's
capture is fetched when it has the packets that were asked for. Every rule is a test of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_ixy.rules import rules

ROLES = ("pktgen", "fwd", "pcap")


@pytest.mark.parametrize("role", ROLES)
def test_build(ixy_build: Any, role: str) -> None:
    """Every `build` command of the target ends with status 0 on the role's node."""
    ixy_build.check(role)


@pytest.mark.parametrize("role", ROLES)
def test_role(ixy_role: Callable[[str], Any], role: str) -> None:
    """The role starts, works through the trial and ends as it should."""
    ixy_role(role)


@pytest.mark.parametrize("rule", list(rules()))
def test_capture(ixy_judge: Callable[[str], Any], rule: str) -> None:
    """The capture, and what else the trial left, keeps the rule."""
    ixy_judge(rule)
