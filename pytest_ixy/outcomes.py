"""Turns what happens in the lab into pytest outcomes.

The first cause is reported once: FAILED when the target is wrong, ERROR when the lab could not tell.
Whatever depends on it is skipped with that cause.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_ixy.build import first_failure
from pytest_ixy.errors import IxyError, LabError, NotHereError
from pytest_ixy.rules.words import plain
from pytest_ixy.startup import scenarios_folder
from pytest_ixy.subjects import FIXTURE, Subject, Subjects, label_of
from pytest_ixy.unsupported import REASON

FINDING = pytest.StashKey[dict[str, Any]]()
ALONE = pytest.StashKey[dict[str, Any]]()
"""What came of a program of the target among references; see `alone.Tried.as_dict`."""


class Outcomes:
    """Knows what has gone wrong so far, and marks reports with what they are about."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._causes: dict[str, dict[str, str]] = {label: {} for label in subjects.labels}

    def failed(self, label: str, fixture: str, cause: str) -> None:
        """Remember the first cause why a target's `fixture` cannot be had."""
        self._causes[label].setdefault(fixture, plain(cause))

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give every test of the target its name, such as `test_build[ixy@0e00605-fwd]`."""
        if FIXTURE in metafunc.fixturenames:
            metafunc.parametrize(FIXTURE, self._subjects.labels, indirect=True, scope="session")

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> Any:
        """Name the shipped scenarios alike wherever they are installed."""
        root = scenarios_folder()
        if not module_path.is_relative_to(root):
            return None
        name = f"scenarios/{module_path.relative_to(root).as_posix()}"
        return pytest.Module.from_parent(parent, path=module_path, nodeid=name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what the target does not support, and what depends on something that went wrong before."""
        label = label_of(item)
        if label is None:
            return
        if len(self._subjects.labels) > 1:
            item.user_properties.append(("ixy.target", label))
        if cause := self._subjects.of(label).origin.declined:
            pytest.skip(plain(cause))
        if self._declined(item, self._subjects.of(label)):
            pytest.skip(REASON)
        names = getattr(item, "fixturenames", ())
        for fixture, cause in self._causes[label].items():
            if fixture in names:
                pytest.skip(cause)

    @staticmethod
    def _declined(item: pytest.Item, subject: Subject) -> bool:
        """Whether it is a test of a shipped scenario with a parameter that the target declares."""
        if not item.path.is_relative_to(scenarios_folder()):
            return False
        declared = subject.unsupported.get(item.path.parent.name, ())
        spec = getattr(item, "callspec", None)
        return any(value in declared for value in spec.params.values()) if spec else False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show our errors as their text, and tell the reports which target and bundle this is about."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, NotHereError):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {call.excinfo.value.what}")
        elif call.excinfo is not None and isinstance(call.excinfo.value, IxyError):
            report.longrepr = plain(f"{call.excinfo.value.kind}: {call.excinfo.value}")
            if isinstance(call.excinfo.value, LabError):
                report.when = "setup"  # what pytest takes for an ERROR, wherever it came up
        if label := label_of(item):
            self._mark(report, item, self._subjects.of(label))
            self._note_build(report, item, self._subjects.of(label))
        return report

    def _mark(self, report: Any, item: pytest.Item, subject: Subject) -> None:
        report.ixy_target = subject.label
        judged = getattr(item, "funcargs", {}).get("ixy_bundle")
        folder = judged.path if judged else subject.origin.latest
        if folder is not None:
            report.ixy_bundle = str(folder)
        if (finding := item.stash.get(FINDING, None)) is not None:
            report.ixy_finding = finding
        if (alone := item.stash.get(ALONE, None)) is not None:
            report.ixy_alone, report.ixy_bundle = alone, alone["bundle"]

    def _note_build(self, report: pytest.TestReport, item: pytest.Item, subject: Subject) -> None:
        """After a failed test of a build, the trial is skipped for that reason."""
        names = getattr(item, "fixturenames", ())
        if not report.failed or report.when != "call" or "ixy_build" not in names or "ixy_trial" in names:
            return
        if failure := first_failure(subject.origin.builds()):
            self.failed(subject.label, "ixy_trial", f"not run: {failure}")
