"""What is neither passed nor failed, as pytest's terminal shows it: reported, and inconclusive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ixy.report.text import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ixy.report.subjects import Subject

REPORTED = "reported"
INCONCLUSIVE = "inconclusive"
HEADS = {
    REPORTED: "reported: broken rules that fail no test",
    INCONCLUSIVE: "inconclusive: the tester came to no verdict, which fails the test",
}

Status = tuple[str, str, tuple[str, dict[str, bool]]]
"""Category, letter, and word with its colours."""


def status(report: Any) -> Status | None:
    """How pytest is to count and show a test's report; None for as usual."""
    finding = getattr(report, "ixy_finding", None) or {}
    if report.when == "call" and report.failed and finding.get("outcome") == INCONCLUSIVE:
        return INCONCLUSIVE, "I", ("INCONCLUSIVE", {"yellow": True})
    fine = report.when == "call" and report.passed and not hasattr(report, "wasxfail")
    if not fine or finding.get("outcome") != REPORTED:
        return None
    return REPORTED, "r", ("REPORTED", {"yellow": True})


def listed(subjects: Iterable[Subject], outcome: str = REPORTED) -> Iterator[str]:
    """A line for each finding with that outcome; the target is named where there are several."""
    subjects = list(subjects)
    for subject in subjects:
        about = f"{line(subject.label)}: " if len(subjects) > 1 else ""
        for row in subject.tests:
            if row.outcome == outcome:
                yield f"{about}{row.name}: {row.title}"
