"""Scenario `localise` after `forward`: its tests run when one of forward's failed, else they leave no trace.

xdist's controller must know all tests before the first one runs, so these are always collected. They count
as deselected until something calls for them, and are passed over when nothing does. Each target's wait for
its own tests, and stand behind them: all that is asked of a target comes before the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any

import pytest

from pytest_ixy.subjects import label_in, label_of

FOLDER = "scenarios/localise/"
"""How the ids of the tests start that wait."""


class After:
    """Orders tests, and lets localise's wait for a failure: where they run, and where they are counted.

    Args:
        config: pytest's configuration.
        labels: The targets' names.
        waiting: Whether localise's tests wait at all.
    """

    def __init__(self, config: pytest.Config, labels: list[str], *, waiting: bool) -> None:
        self._config, self._labels, self._follows = config, labels, waiting
        self._counts = not hasattr(config, "workerinput")
        self._red: set[str] = set()
        self._waiting: list[pytest.Item] = []
        self._numbers: Counter[str | None] = Counter()

    def _waits(self, nodeid: str) -> bool:
        """Whether that is a test that may be passed over."""
        return self._follows and nodeid.startswith(FOLDER)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Put them last, whatever has shuffled the tests; where nothing is run, leave them out."""
        items, self._session = session.items, session
        self._waiting = [item for item in items if self._waits(item.nodeid)]
        others = [item for item in items if not self._waits(item.nodeid)]
        items[:] = others if self._config.option.collectonly else others + self._waiting
        items[:] = _together(items, self._labels)
        if self._waiting and self._counts:
            self._config.hook.pytest_deselected(items=self._waiting)
        self._number(item.nodeid for item in items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """In xdist's controller: a worker has told which tests there are."""
        self._number(ids)

    def _number(self, nodeids: Iterable[str]) -> None:
        """Count those that wait by target, and the others."""
        self._numbers = Counter(self._called_by(nodeid) for nodeid in nodeids)

    def _called_by(self, nodeid: str) -> str | None:
        """The target that it waits for, None where it does not wait."""
        return (label_in(nodeid, self._labels) or "") if self._waits(nodeid) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Keep those that wait out of the progress, and of whether there were tests at all."""
        self._session = session
        self._tell()
        result = yield
        self._tell()
        return result

    def _tell(self) -> None:
        if self._counts and self._follows and not self._config.option.collectonly:
            called = [None, *self._red]
            self._session.testscollected = sum(self._numbers[label] for label in called)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Mark the report that they wait for: of a test on a trial that failed, and was no error."""
        report = yield
        tried = "ixy_trial" in getattr(item, "fixturenames", ()) and not self._waits(item.nodeid)
        if self._follows and tried and report.failed and report.when == "call":
            report.ixy_red = label_of(item)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of such a report, wherever the test ran."""
        label = getattr(report, "ixy_red", None)
        if label is not None and label not in self._red:
            self._red.add(label)
            self._reselect(label)
        self._tell()

    def _reselect(self, label: str) -> None:
        """Have the terminal count them among those that run."""
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        stats = getattr(terminal, "stats", {})
        called = [item for item in self._waiting if label_of(item) == label]
        left = [item for item in stats.pop("deselected", ()) if item not in called]
        stats.update({"deselected": left} if left else {})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Pass over a test that nothing has called for."""
        return True if self._waits(item.nodeid) and label_of(item) not in self._red else None


def _together(items: list[pytest.Item], labels: list[str]) -> list[pytest.Item]:
    """The tests of each target next to each other; one that is about none stays behind the one before it."""
    places = {label: place for place, label in enumerate(labels)}
    found, place = [], 0
    for item in items:
        place = places.get(label_of(item) or "", place)
        found.append((place, item))
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]
