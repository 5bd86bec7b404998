"""Broken rules that fail nothing, as pytest's terminal shows them: neither passed nor failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ixy.report.text import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ixy.report.subjects import Subject

REPORTED = "reported"
HEAD = "reported: broken rules that fail no test"

Status = tuple[str, str, tuple[str, dict[str, bool]]]
"""Category, letter, and word with its colours."""


def status(report: Any) -> Status | None:
    """How pytest is to count and show a test's report; None for as usual."""
    finding = getattr(report, "ixy_finding", None) or {}
    fine = report.when == "call" and report.passed and not hasattr(report, "wasxfail")
    if not fine or finding.get("outcome") != REPORTED:
        return None
    return REPORTED, "r", ("REPORTED", {"yellow": True})


def listed(subjects: Iterable[Subject]) -> Iterator[str]:
    """A line for each reported finding; the target is named where there are several."""
    subjects = list(subjects)
    for subject in subjects:
        about = f"{line(subject.label)}: " if len(subjects) > 1 else ""
        for row in subject.tests:
            if row.outcome == REPORTED:
                yield f"{about}{row.name}: {row.title}"
