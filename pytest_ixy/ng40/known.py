"""What is known of the cases of a list while it runs, within limits: the tester may print anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_ixy.ng40.records import CaseRecord, Loss
from pytest_ixy.ng40.shapes import PASS

MOST_CASES = 5000
MOST_FLAWS = 100
MOST_VERDICTS = 20
MOST_LOSSES = 50
_LONGEST_FLAW = 300


@dataclass
class Case:
    """One case so far; see `CaseRecord`."""

    name: str
    verdicts: list[str] = field(default_factory=list)
    planned: bool = False
    seconds: float | None = None
    watched: int | None = None
    losses: list[Loss] = field(default_factory=list)
    first: int = 0
    last: int = 0

    def record(self) -> CaseRecord:
        """The same, for good."""
        return CaseRecord(
            name=self.name,
            verdict=counting(self.verdicts),
            verdicts=tuple(self.verdicts) if len(self.verdicts) > 1 else (),
            planned=self.planned,
            seconds=None if self.seconds is None else round(self.seconds, 3),
            watched=self.watched,
            losses=tuple(self.losses),
            first=self.first,
            last=self.last,
        )


def counting(verdicts: Iterable[str]) -> str | None:
    """Which of several verdicts counts: the first that is no PASS."""
    found = list(verdicts)
    return next((word for word in found if word != PASS), found[0] if found else None)


class Flaws:
    """What could not be read, the first ones in words and then their number."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._more = 0

    def add(self, line: int, why: str) -> None:
        """Note one; `line` is 0 where there is none."""
        words = f"line {line}: {why}" if line else why
        if len(self._words) < MOST_FLAWS:
            self._words.append(words[:_LONGEST_FLAW])
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        """All of them."""
        return (*self._words, *([f"… and {self._more:,} more"] if self._more else []))


class Cases:
    """The cases by name, in the order in which they were first named."""

    def __init__(self, flaws: Flaws) -> None:
        self._flaws = flaws
        self._known: dict[str, Case] = {}
        self._full = False

    def get(self, name: str) -> Case:
        """The case of that name, a new one if need be; beyond the limit one that nobody will hear of."""
        if found := self._known.get(name):
            return found
        case = Case(name)
        if len(self._known) < MOST_CASES:
            self._known[name] = case
        elif not self._full:
            self._full = True
            self._flaws.add(0, f"more than {MOST_CASES:,} cases: the others are not on record")
        return case

    def names(self) -> set[str]:
        """All names."""
        return set(self._known)

    def judged(self) -> int:
        """How many have a verdict."""
        return sum(1 for case in self._known.values() if case.verdicts)

    def next_planned(self) -> str:
        """The first one that was planned and has no verdict yet, or nothing."""
        waiting = (name for name, case in self._known.items() if case.planned and not case.verdicts)
        return next(waiting, "")

    def records(self) -> tuple[CaseRecord, ...]:
        """All of them, for good."""
        return tuple(case.record() for case in self._known.values())
