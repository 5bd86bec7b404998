"""What the capture's sequence numbers say as a whole: loss, gaps, duplicates, rate, and where they came.

One pass beside that of `Evidence.observed`, and memory that grows by one bit for a sequence number only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_ixy.report.gaps import NO_GAPS, Gaps, Marks
from pytest_ixy.report.raster import Raster
from pytest_ixy.rules import Evidence

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle
    from pytest_ixy.rules.kernel.numbered import Numbered
    from pytest_ixy.rules.kernel.observed import Observed

LARGEST = 1 << 26
"""Numbers that are so far from the first, and more than twice the count of packets, are damage rather than a
count: no gap is said to reach them, and repeats of them are counted but not kept."""
MOST = 400
"""So many gaps, and so many repeats, are kept one by one."""


@dataclass(frozen=True)
class Repeat:
    """A packet whose number came before, and when it came in seconds since the first frame."""

    number: int
    time: float


@dataclass(frozen=True, eq=False)
class Traffic:
    """ixy's packets as the capture has them. Times are in seconds since the first frame.

    Attributes:
        packets: How many there are.
        asked: How many were asked for; where nobody knows, how many there are.
        first: The sequence number that the first packet should have.
        highest: The highest sequence number, None when there is no packet.
        repeated: How many have a number that came before.
        begin, end: Times of the earliest and the latest packet.
        raster: Where they are.
        beyond: How many have a number above the scale of `raster`.
        gaps: Which numbers never came.
        repeats: Some of those that came before, evenly chosen, in capture order.
        flaw: Why the capture could be read in part only; empty when it could be read whole.
    """

    packets: int
    asked: int
    first: int
    highest: int | None
    repeated: int
    begin: float
    end: float
    raster: Raster
    beyond: int
    gaps: Gaps
    repeats: tuple[Repeat, ...]
    flaw: str = ""

    @property
    def unique(self) -> int:
        """How many different sequence numbers there are."""
        return self.packets - self.repeated

    @property
    def loss(self) -> float | None:
        """Fraction of the numbers first..highest that never came; None when there is no packet."""
        if self.highest is None:
            return None
        return 1 - self.unique / max(self.highest + 1 - self.first, self.unique)

    @property
    def seconds(self) -> float:
        """Time between the earliest and the latest packet."""
        return self.end - self.begin

    @property
    def rate(self) -> float | None:
        """Packets per second between the earliest and the latest; None when they share one time."""
        return (self.packets - 1) / self.seconds if self.seconds > 0 else None


def measure(bundle: Bundle) -> Traffic:
    """Read the bundle's capture; what could not be read is told in `Traffic.flaw`."""
    evidence = Evidence(bundle)
    survey = _Survey(evidence.observed, evidence.expected, evidence.dialect.first)
    for batch in evidence.numbered():
        survey.add(batch)
    return survey.traffic()


class _Survey:
    """Sums up batches into a `Traffic`; what `observed` knows is not found out again."""

    def __init__(self, observed: Observed, expected: int | None, first: int) -> None:
        self.observed, self.first = observed, first
        self.asked = expected or observed.numbered
        self.raster = Raster(first, first + _scale((observed.highest or 0) - first, self.asked))
        self.begin, self.end = math.inf, -math.inf
        self.beyond = self.again = 0
        self.repeats: list[Repeat] = []
        self.marks = _marks(observed, first)
        self.wanted = np.linspace(0, observed.repeated - 1, min(observed.repeated, MOST)).astype(np.int64)

    def add(self, batch: Numbered) -> None:
        if not batch.sequence.size:
            return
        self.begin = min(self.begin, float(batch.seconds.min()))
        self.end = max(self.end, float(batch.seconds.max()))
        self.beyond += int(np.count_nonzero(batch.sequence > self.raster.top))
        self.raster.add(batch.seconds, batch.sequence)
        if self.marks is not None:
            self._mark(batch, self.marks)

    def _mark(self, batch: Numbered, marks: Marks) -> None:
        among = np.flatnonzero((batch.sequence >= marks.first) & (batch.sequence < marks.limit))
        places = among[marks.add(batch.sequence[among])]
        chosen = self.wanted[(self.wanted >= self.again) & (self.wanted < self.again + places.size)]
        places, self.again = places[chosen - self.again], self.again + places.size
        pairs = zip(batch.sequence[places].tolist(), batch.seconds[places].tolist(), strict=True)
        self.repeats += [Repeat(number, time) for number, time in pairs]

    def traffic(self) -> Traffic:
        observed = self.observed
        some = self.begin <= self.end
        return Traffic(
            packets=observed.numbered,
            asked=self.asked,
            first=self.first,
            highest=observed.highest,
            repeated=observed.repeated,
            begin=self.begin if some else 0.0,
            end=self.end if some else 0.0,
            raster=self.raster,
            beyond=self.beyond,
            gaps=NO_GAPS if self.marks is None else self.marks.gaps(MOST),
            repeats=tuple(self.repeats),
            flaw=str(observed.flaw or ""),
        )


def _scale(highest: int, asked: int) -> float:
    """The scale reaches as far as packets were asked for, and at most a little beyond twice as far.

    So one damaged number does not hide all others.
    """
    return min(max(highest, asked - 1, 1) * 1.03, 2.2 * max(asked, 1))


def _marks(observed: Observed, first: int) -> Marks | None:
    """None where all numbers from 0 on came, each once."""
    highest = -1 if observed.highest is None else observed.highest
    if not first and not observed.repeated and observed.numbered == highest + 1:
        return None
    return Marks(first, min(highest + 1, first + max(LARGEST, 2 * observed.numbered)))
