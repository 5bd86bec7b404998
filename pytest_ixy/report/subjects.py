"""What the tests said, gathered per target: plain data that every report is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.errors import IxyError
from pytest_ixy.ng40 import folder
from pytest_ixy.report.text import line
from pytest_ixy.unpack import plain

if TYPE_CHECKING:
    import pytest

    from pytest_ixy.bundle import Bundle
    from pytest_ixy.ng40.records import LabRecord
    from pytest_ixy.rates import Rate
    from pytest_ixy.report.traffic import Traffic
    from pytest_ixy.terms import Terms

CAUSE = 4000
"""At most so many characters of a failure's text are kept; pytest's own reports have it whole."""
OUTCOMES = ("failed", "xpassed", "inconclusive", "error", "passed", "reported", "skipped", "xfailed")
BROKEN = ("failed", "inconclusive")
SHOWN = {("passed", "reported"): "reported", ("failed", "inconclusive"): "inconclusive"}
"""What a test's outcome and its finding's make together, where that is neither."""


@dataclass(frozen=True)
class Row:
    """One test on a target.

    Attributes:
        name: The rule, or the test's short name where it judged no rule.
        outcome: passed, failed, inconclusive, reported, skipped, error, xfailed or xpassed.
        title: The finding's title, or the first line of the cause.
        numbers: The finding's numbers.
        cause: Why it failed, errored or was skipped; empty when it did not.
        bundle: The bundle it judged, if any.
        finding: The finding as the rule gave it, if any.
        index: The test's place among all that were collected.
    """

    name: str
    outcome: str
    title: str
    numbers: Mapping[str, Any]
    cause: str
    bundle: str | None
    finding: Mapping[str, Any] | None
    index: int = 0


@dataclass
class Subject:
    """A target, what its tests said, and the folders its trials left.

    `alone` is what came of its programs among references, by part; see `fault`. `interrupted` is set when its
    tests were not run to their end.
    """

    label: str
    rows: dict[str, Row] = field(default_factory=dict)
    bundles: list[str] = field(default_factory=list)
    alone: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def tests(self) -> list[Row]:
        """All rows in the order of the tests, which xdist's workers do not keep to."""
        return sorted(self.rows.values(), key=lambda row: row.index)

    @property
    def index(self) -> int:
        """Place of its first test among all."""
        return min((row.index for row in self.rows.values()), default=0)

    @property
    def counts(self) -> Counter[str]:
        """How many tests had each outcome."""
        return Counter(row.outcome for row in self.rows.values())

    @property
    def verdict(self) -> str:
        """failed, error (the lab could not tell), passed, or skipped when nothing was judged."""
        counts = self.counts
        if counts["failed"] or counts["xpassed"] or counts["inconclusive"]:
            return "failed"
        if counts["error"] or self.interrupted:
            return "error"
        return "passed" if counts["passed"] or counts["reported"] else "skipped"

    @property
    def tally(self) -> str:
        """The counts in words: `1 failed, 6 passed`."""
        counts = self.counts
        words = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]]
        return ", ".join([*words, *(["interrupted"] if self.interrupted else [])])

    def findings(self, bundle: str) -> list[Mapping[str, Any]]:
        """All findings on one bundle, in the order of the tests."""
        return [row.finding for row in self.tests if row.finding and row.bundle == bundle]

    def add(self, report: pytest.TestReport) -> None:
        """Take in one phase of a test: its call, or a setup or teardown that did not pass."""
        bundle = getattr(report, "ixy_bundle", None)
        if bundle and bundle not in self.bundles:
            self.bundles.append(bundle)
        if alone := getattr(report, "ixy_alone", None):
            self.alone[alone["part"]] = alone
        if report.when == "call" or not report.passed:
            suffix = "::teardown" if report.when == "teardown" else ""
            self.rows[report.nodeid + suffix] = _row(report, bundle, len(self.rows))


def _row(report: pytest.TestReport, bundle: str | None, arrived: int) -> Row:
    finding: Mapping[str, Any] | None = getattr(report, "ixy_finding", None)
    outcome, cause = _outcome(report), cause_of(report)
    index = getattr(report, "item_index", arrived)
    said = finding.get("outcome") if finding else None
    if finding is None or (outcome == "failed" and said not in BROKEN):  # the test itself had an objection
        name = line(report.nodeid.rpartition("::")[2], 120)
        return Row(name, outcome, line(cause.partition("\n")[0]), {}, cause, bundle, finding, index)
    numbers = finding.get("numbers")
    return Row(
        name=line(finding.get("rule", ""), 80),
        outcome=SHOWN.get((outcome, str(said)), outcome),
        title=line(finding.get("title", "")),
        numbers=numbers if isinstance(numbers, Mapping) else {},
        cause=str(finding.get("message") or cause)[:CAUSE],
        bundle=bundle,
        finding=finding,
        index=index,
    )


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return "error" if report.failed and report.when != "call" else report.outcome


def cause_of(report: pytest.TestReport) -> str:
    """The message of what went wrong, without the traceback that led to it."""
    if report.passed or report.longrepr is None:
        return ""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")[:CAUSE]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip()[:CAUSE]


@dataclass(frozen=True)
class Trial:
    """A trial's folder as far as it can be read.

    Attributes:
        path: The folder.
        bundle: It opened, or None with the reason in `problem`.
        traffic: Its capture measured, or None with the reason in `no_traffic`.
        lab: What it has on record where it was a run of a TeraVM lab; then it is no bundle.
    """

    path: Path
    bundle: Bundle | None = None
    problem: str = ""
    traffic: Traffic | None = None
    no_traffic: str = ""
    lab: LabRecord | None = None

    @property
    def rates(self) -> tuple[Rate, ...]:
        """How fast each role was, by all who know."""
        from pytest_ixy.rates import rates

        frames, seconds = (self.traffic.packets, self.traffic.seconds) if self.traffic else (0, 0.0)
        return rates(self.bundle, frames, seconds) if self.bundle else ()


def open_trial(path: Path, terms: Terms | None = None) -> Trial:
    """Read a trial's folder, or a capture; a missing or damaged one is a `Trial` that says so.

    Args:
        path: Either of the two; a capture may be compressed.
        terms: How it was judged, over what is on record.
    """
    try:
        if folder.is_one(path):
            return Trial(path, lab=folder.load(path))
        with plain(str(path)) if path.is_file() else nullcontext(path) as file:
            return _measured(path, opened(path, terms, file))
    except Exception as error:  # noqa: BLE001 - whatever a damaged folder raises, the report goes on
        return Trial(path, problem=why(error))


def _measured(path: Path, bundle: Bundle) -> Trial:
    if bundle.capture is None:
        return Trial(path, bundle, no_traffic="the trial left no capture")
    from pytest_ixy.report.traffic import measure

    try:
        return Trial(path, bundle, traffic=measure(bundle))
    except Exception as error:  # noqa: BLE001 - likewise for a damaged capture
        return Trial(path, bundle, no_traffic=why(error))


def opened(path: Path, terms: Terms | None = None, file: Path | None = None) -> Bundle:
    """The bundle at `path`, or the capture when that is all; UsageError when it is neither.

    Args:
        path: Either of the two.
        terms: How it was judged, over what is on record.
        file: The capture unpacked, where it is compressed.
    """
    from pytest_ixy.bare import bare
    from pytest_ixy.bundle import load
    from pytest_ixy.terms import Terms, judged

    return judged(bare(path, file=file) if path.is_file() else load(path), terms or Terms())


def why(error: Exception) -> str:
    """An error in words; errors that are not for users are named by their class."""
    return str(error) if isinstance(error, IxyError) else f"{type(error).__name__}: {error}"
