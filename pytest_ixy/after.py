"""Scenario `localise` after `forward`: its tests run when one of forward's failed, else they leave no trace.

xdist's controller must know all tests before the first one runs, so these are always collected. They count
as deselected until something calls for them, and are passed over when nothing does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest

FOLDER = "scenarios/localise/"
"""How the ids of the tests start that wait."""


def waits(nodeid: str) -> bool:
    """Whether that is a test of localise."""
    return nodeid.startswith(FOLDER)


class After:
    """Lets localise's tests wait for a failure: in the process that runs them, and where they are counted."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._counts = not hasattr(config, "workerinput")
        self._red = False
        self._waiting: list[pytest.Item] = []
        self._numbers = (0, 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Put them last, whatever has shuffled the tests; where nothing is run, leave them out."""
        items, self._session = session.items, session
        self._waiting = [item for item in items if waits(item.nodeid)]
        others = [item for item in items if not waits(item.nodeid)]
        items[:] = others if self._config.option.collectonly else others + self._waiting
        if self._waiting and self._counts:
            self._config.hook.pytest_deselected(items=self._waiting)
        self._number(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """In xdist's controller: a worker has told which tests there are."""
        self._number(ids)

    def _number(self, nodeids: Iterable[str]) -> None:
        found = [waits(nodeid) for nodeid in nodeids]
        self._numbers = len(found), found.count(False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Keep those that wait out of the progress, and of whether there were tests at all."""
        self._session = session
        self._tell()
        result = yield
        self._tell()
        return result

    def _tell(self) -> None:
        whole, without = self._numbers
        if self._counts and not self._config.option.collectonly:
            self._session.testscollected = whole if self._red else without

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Mark the report that they wait for: of a test on a trial that failed, and was no error."""
        report = yield
        tried = "ixy_trial" in getattr(item, "fixturenames", ()) and not waits(item.nodeid)
        if tried and report.failed and report.when == "call":
            report.ixy_red = True
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of such a report, wherever the test ran."""
        if getattr(report, "ixy_red", False) and not self._red:
            self._red = True
            self._reselect()
        self._tell()

    def _reselect(self) -> None:
        """Have the terminal count them among those that run."""
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        stats = getattr(terminal, "stats", {})
        left = [item for item in stats.pop("deselected", ()) if item not in self._waiting]
        stats.update({"deselected": left} if left else {})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Pass over a test that nothing has called for."""
        return True if waits(item.nodeid) and not self._red else None
