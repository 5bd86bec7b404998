"""The fixtures of scenario `teravm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_ixy.labtests import LabTests
    from pytest_ixy.subjects import Subject

NEEDED = "needs a TeraVM lab: pytest --ixy-scenario=teravm --ixy-config=lab.toml"


class Asker:
    """Asks for what one test is about; the call ends the test."""

    def __init__(self, tests: LabTests, item: pytest.Item) -> None:
        self._tests, self._item = tests, item

    def step(self, name: str) -> None:
        """Have a step done, and all before it."""
        self._tests.step(self._item, name)

    def testlist(self, name: str) -> None:
        """Have a list run, after all steps."""
        self._tests.testlist(self._item, name)

    def case(self, name: str, case: str) -> None:
        """Judge a case of a list, which is run if it was not."""
        self._tests.case(self._item, name, case)

    def rule(self, name: str) -> None:
        """Judge what all lists left."""
        self._tests.rule(self._item, name)


@pytest.fixture
def ixy_teravm(request: pytest.FixtureRequest, ixy_subject: Subject) -> Asker:  # noqa: ARG001 - names the lab
    """The run of a TeraVM lab; `step`, `testlist`, `case` and `rule` of it end the test."""
    tests: LabTests | None = request.config.pluginmanager.getplugin("ixy-lab-tests")
    if tests is None:
        pytest.skip(NEEDED)
    return Asker(tests, request.node)


@pytest.fixture
def ixy_step() -> Any:
    """Each step in turn; where there is no lab, nothing."""
    pytest.skip(NEEDED)


ixy_list = ixy_case = ixy_rule = ixy_step
