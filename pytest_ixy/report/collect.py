"""Gathers what tests say about targets, and makes every report of it when the session finishes.

The plugin sets on a test's report what it knows, each only where it knows it; all of it is JSON, so
that it comes through xdist: `ixy_target` (label), `ixy_bundle` (path) and `ixy_finding` (a dict).
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ixy.ng40 import folder
from pytest_ixy.report import junit, labs, reported, summary
from pytest_ixy.report.fault import fault
from pytest_ixy.report.subjects import Subject, Trial, cause_of, open_trial, opened, why
from pytest_ixy.report.text import escape, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_ixy.bundle import Bundle
    from pytest_ixy.terms import Terms

FINDINGS = "findings.json"
TITLE = "pytest-ixy"
PHASES = ("setup", "call", "teardown")


class Reports:
    """A plugin for the process that reports: the only one, or xdist's controller.

    Args:
        config: pytest's configuration of that process.
        terms: How bundles were judged, over what they have on record.
        findings: Whether to leave the findings in the bundles; not in those of others.
    """

    def __init__(self, config: pytest.Config, terms: Terms | None = None, *, findings: bool = True) -> None:
        self.config = config
        self.terms = terms
        self.findings = findings
        self.subjects: dict[str, Subject] = {}
        self.trials: dict[str, Trial] = {}
        self.notes: list[str] = []
        self.page: Any = None
        page = config.getoption("htmlpath", None)
        # As pytest-html reads it, and now, because a test may change the working directory.
        self.html = Path.cwd() / Path(os.path.expandvars(page)).expanduser() if page else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        label = getattr(report, "ixy_target", None)
        if label is not None:
            self.subjects.setdefault(label, Subject(label)).add(report)
        elif report.failed and report.when not in PHASES:
            # xdist reports a test whose worker died in no phase, which pytest-html leaves out.
            self.notes.append(f"{line(report.nodeid)}: {line(cause_of(report))}")

    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> Any:
        """A broken rule that only reports is counted by itself."""
        return reported.status(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write what belongs into bundles, JUnit and job summary, before their files are closed."""
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self.notes.append("The run was interrupted: tests that are not listed did not run.")
            for subject in self.subjects.values():
                subject.interrupted = True
        wanted = self.html or junit.wanted(self.config) or summary.wanted()
        if wanted:
            self.trials = {path: open_trial(Path(path), self.terms) for path in self._paths()}
        for subject in self.ordered:
            for path in subject.bundles if self.findings else ():
                self._try(FINDINGS, partial(_write_findings, subject, Path(path)))
        self._try("JUnit properties", lambda: junit.add_properties(self.config, self._together()))
        if summary.wanted() and self.subjects:
            self._try("job summary", lambda: summary.append(self._together()))

    @property
    def ordered(self) -> list[Subject]:
        """The targets in the order of their tests, which xdist's workers do not keep to."""
        return sorted(self.subjects.values(), key=lambda subject: subject.index)

    def _paths(self) -> list[str]:
        return [path for subject in self.ordered for path in subject.bundles]

    def _of(self, subject: Subject) -> list[Trial]:
        return [self.trials[path] for path in subject.bundles if path in self.trials]

    def _together(self) -> list[tuple[Subject, list[Trial]]]:
        return [(subject, self._of(subject)) for subject in self.ordered]

    def _try(self, name: str, make: Callable[[], None]) -> None:
        """A report that cannot be made is a note in the others: it never changes the verdict."""
        try:
            make()
        except Exception as error:  # noqa: BLE001
            self.notes.append(f"{name} not written: {why(error)}")

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Name the page, and escape what it would show of the environment as it stands."""
        self.page = report
        report.title = TITLE
        environment = report.data["environment"]
        report.set_data("environment", {name: _harmless(name, environment[name]) for name in environment})

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        """Escape the test's id, which pytest-html does not; it can hold the target's words."""
        name = report.nodeid if report.when == "call" else f"{report.nodeid}::{report.when}"
        for index, cell in enumerate(cells):
            if str(cell).startswith('<td class="col-testId">'):
                cells[index] = f'<td class="col-testId">{escape(line(name, 1000))}</td>'

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str], summary: list[str]) -> None:
        """Add the targets' sections to the page."""
        if self.html is None or not (self.subjects or self.notes):
            return
        from pytest_ixy.report import html

        prefix.append(html.overview(self.ordered, self.notes))
        for index, subject in enumerate(self.ordered):
            summary.append(html.section(index, subject, self._of(subject), self.html.parent))
        if self.subjects and self.page is not None and self.page.title == TITLE:
            self.page.title = line(f"{TITLE}: {', '.join(subject.label for subject in self.ordered)}", 120)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was reported, where each target's bundle is, and how to run it again."""
        if not (self.subjects or self.notes) or self.config.get_verbosity() < -1:
            return
        for outcome, head in reported.HEADS.items():
            if lines := list(reported.listed(self.ordered, outcome)):
                terminalreporter.write_sep("-", head, yellow=True)
                terminalreporter.write_line("\n".join(lines))
        terminalreporter.write_sep("-", TITLE)
        for subject in self.ordered:
            terminalreporter.write_line(f"{line(subject.label)}: {subject.verdict} ({subject.tally})")
            if words := fault(subject):
                terminalreporter.write_line(f"fault: {words}", red=True)
            for path in subject.bundles:
                kind = "capture: " if Path(path).is_file() else "bundle: "
                terminalreporter.write_line(f"  {kind}{line(path, 4000)}")
                for text in _again(self.trials.get(path), Path(path), self.terms):
                    terminalreporter.write_line(f"  {text}")
        for note in self.notes:
            terminalreporter.write_line(f"note: {line(note, 1000)}")


def _again(trial: Trial | None, path: Path, terms: Terms | None) -> Iterator[str]:
    """The commands for a trial that was opened already, or is now; none when it cannot be."""
    from pytest_ixy.report.command import replay, rerun

    if folder.is_one(path):
        record = (trial or open_trial(path)).lab
        yield from labs.again(record, path) if record else ()
        return
    bundle = trial.bundle if trial else _opened(path, terms)
    if bundle is None:
        return
    if command := rerun(bundle.manifest):
        yield f"rerun:  {command}"
    yield f"replay: {replay(bundle)}"


def _opened(path: Path, terms: Terms | None) -> Bundle | None:
    try:
        return opened(path, terms)
    except Exception:  # noqa: BLE001 - whatever a damaged folder raises, the path was named
        return None


def _harmless(name: str, value: Any) -> Any:
    """A CI's variable, such as a branch's name, escaped; what people set as metadata may be HTML."""
    return escape(value) if value == os.environ.get(name) else value


def _write_findings(subject: Subject, path: Path) -> None:
    """Put the findings on a bundle beside its manifest, whole or not at all."""
    findings = subject.findings(str(path))
    if findings and path.is_dir():
        draft = path / (FINDINGS + ".part")
        draft.write_text(json.dumps(findings, indent=2) + "\n", encoding="utf-8")
        draft.replace(path / FINDINGS)
