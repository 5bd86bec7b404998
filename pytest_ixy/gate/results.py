"""Results as a gate sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

Outcome = Literal["passed", "reported", "skipped", "inconclusive", "failed", "error"]
WORST_LAST: tuple[Outcome, ...] = get_args(Outcome)
STARTED = "ixy.started"
FINE: tuple[Outcome, ...] = ("passed", "reported")


@dataclass(frozen=True)
class Suite:
    """One `testsuite`: a run of pytest.

    Attributes:
        report: The file that it is in.
        stamp: When it began; None where it does not say, or not of which time zone.
        about: Its properties.
    """

    report: str
    stamp: datetime | None
    about: dict[str, str]

    @property
    def when(self) -> datetime | None:
        """When its results were made: a replay judges today what a lab left long ago."""
        made = moment(self.about.get(STARTED, ""))
        return min((time for time in (self.stamp, made) if time), default=None)


@dataclass(frozen=True)
class Result:
    """What came of one test in one run.

    Attributes:
        id: Such as `teravm/LIST/CASE`.
        again: The verdict of its retry, such as `PASS`; empty for none.
    """

    id: str
    outcome: Outcome
    again: str
    suite: Suite

    @property
    def passed_again(self) -> bool:
        """Whether it was run once more, and passed then."""
        return self.again == "PASS"


def moment(text: str) -> datetime | None:
    """A time that can be compared; None for one that cannot, such as one of no known zone."""
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that says most against what is tested."""
    return max(outcomes, key=WORST_LAST.index)


def outcome_of(word: str | None, elements: Outcome) -> Outcome:
    """The outcome by the property `ixy.outcome` and by the elements of a test case.

    The property is more exact; but who has written that all is well may have failed later, in taking down.
    A word that is none counts as an error: nobody knows what it means.
    """
    if word is None:
        return elements
    told: Outcome = next((known for known in WORST_LAST if known == word), "error")
    if elements == "failed" and told in ("inconclusive", "error"):
        return told
    return worst([told, elements])
