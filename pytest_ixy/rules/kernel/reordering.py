"""How far packets are out of order: RFC 4737's extent and RFC 5236's density, exact, in bounded memory.

The smallest j with s[j] > s[i] is always a packet higher than all before it. Such packets rise in both
place and number, so that two sets of bits know them: how many of them are not above s[i] is counted in
one, where the next one stands is found in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.bits import Bits
from pytest_ixy.rules.kernel.numbered import Glimpse, One
from pytest_ixy.rules.kernel.patterns import Patterns, Watch
from pytest_ixy.rules.kernel.seen import Seen

Column = NDArray[np.int64]

FAR = 8
"""RFC 5236's displacement threshold DT: beyond it, all displacements are one kind."""
MOST = 40_000_000
"""Numbers up to here are judged exactly: the sets of bits take 38 MB then, if all come twice."""


@dataclass(frozen=True)
class Late:
    """A packet behind one with a higher number, and its extent."""

    packet: One
    extent: int


@dataclass(frozen=True, eq=False)
class Reordering:
    """What a capture's packets are out of order by; only the first arrival of each number counts.

    Attributes:
        packets: Packets whose order was judged.
        left_out: Packets whose numbers are too high to be anybody's.
        reordered: Those that come behind one with a higher number.
        extents: The sum of their extents.
        max_extent: The greatest of their extents.
        first: The first few of them.
        density: How many packets are displaced by -9 or less, -8 to 8, 9 or more places; None where all
            of this are lower bounds, because exact numbers would take too much memory.
        patterns: What they have in common; None as well then.
    """

    packets: int
    left_out: int
    reordered: int
    extents: int
    max_extent: int
    first: tuple[Late, ...]
    density: Column | None
    patterns: Patterns | None


def reordering(
    glimpses: Iterable[Glimpse], seen_of: Callable[[int, int], Seen | None], highest: int, *, repeated: int
) -> Reordering:
    """Judge the order of packets.

    Args:
        glimpses: The capture.
        seen_of: Tells which numbers between two came, and which came again.
        highest: The highest number that counts.
        repeated: How many packets bear a number that came before.
    """
    seen = seen_of(0, highest) if highest < MOST else None
    if seen is None:
        return _roughly(glimpses, highest, repeated)
    exactly = _Exactly(Bits.of(seen.came(highest)), Bits.of(seen.twice(highest)))
    for glimpse in glimpses:
        exactly.add(glimpse, np.flatnonzero(glimpse.sequence <= highest))
    return exactly.reordering()


class _Exactly:
    """Goes through the packets, once it is known which numbers come at all, and which more than once."""

    def __init__(self, came: Bits, twice: Bits) -> None:
        self._came, self._twice = came, twice
        self._passed = Bits(len(twice))
        self._numbers, self._places = Bits(len(came)), Bits(len(came))
        self._packets, self._highest, self._left_out = 0, -1, 0
        self._reordered, self._extents, self._max_extent = 0, 0, 0
        self._first: list[Late] = []
        self._density = np.zeros(2 * FAR + 3, np.int64)
        self._watch = Watch()

    def add(self, glimpse: Glimpse, which: Column) -> None:
        """Go on with the packets at those places; numbers of others are too high."""
        self._left_out += glimpse.sequence.size - which.size
        numbers = glimpse.sequence[which].astype(np.int64)
        again = self._again(numbers)
        if again.size:
            numbers, which = np.delete(numbers, again), np.delete(which, again)
        if numbers.size:
            self._add(glimpse, which, self._came.below(numbers))

    def _again(self, numbers: Column) -> Column:
        """Where numbers come that came before, in this batch or an earlier one."""
        places = np.flatnonzero(self._twice.has(numbers))
        which = self._twice.below(numbers[places])
        _, first = np.unique(which, return_index=True)
        first = first[~self._passed.has(which[first])]
        self._passed.add(which[first])
        return np.delete(places, first)

    def _add(self, glimpse: Glimpse, which: Column, ranks: Column) -> None:
        places = np.arange(self._packets, self._packets + ranks.size)
        self._packets += ranks.size
        displacement = places - ranks
        self._density += _displaced(displacement)
        late = self._late(ranks, places)
        self._watch.add(ranks, ranks[late], displacement[late])
        if late.size:
            extents = places[late] - self._places.nth(self._numbers.below(ranks[late]))
            self._note(extents)
            self._first += _few(glimpse, which[late], extents, FEW - len(self._first))

    def _late(self, ranks: Column, places: Column) -> Column:
        """Which packets come late; the others are noted, each as the highest so far."""
        highest = np.maximum.accumulate(ranks)
        before = np.concatenate((np.array([self._highest]), np.maximum(highest[:-1], self._highest)))
        self._highest = max(self._highest, int(highest[-1]))
        rises = ranks > before
        self._numbers.append(ranks[rises])
        self._places.append(places[rises])
        return np.flatnonzero(~rises)

    def _note(self, extents: Column) -> None:
        self._reordered += extents.size
        self._extents += int(extents.sum())
        self._max_extent = max(self._max_extent, int(extents.max()))

    def reordering(self) -> Reordering:
        return Reordering(
            packets=self._packets,
            left_out=self._left_out,
            reordered=self._reordered,
            extents=self._extents,
            max_extent=self._max_extent,
            first=tuple(self._first),
            density=self._density,
            patterns=self._watch.patterns(),
        )


def _displaced(displacement: Column) -> Column:
    return np.bincount(displacement.clip(-FAR - 1, FAR + 1) + FAR + 1, minlength=2 * FAR + 3)


def _few(glimpse: Glimpse, places: Column, extents: Column, count: int) -> list[Late]:
    packets = glimpse.take(places[:count]).each() if count else []
    return [Late(*one) for one in zip(packets, extents[:count].tolist(), strict=True)]


def _roughly(glimpses: Iterable[Glimpse], highest: int, repeated: int) -> Reordering:
    """Late packets are counted by the highest number so far alone; repeated ones may all be among them."""
    packets, left_out, late, top = 0, 0, 0, 0
    first: list[Late] = []
    for glimpse in glimpses:
        which = np.flatnonzero(glimpse.sequence <= highest)
        numbers = glimpse.sequence[which]
        tops = np.maximum(np.maximum.accumulate(numbers), top)
        behind = which[numbers < tops]
        first += _few(glimpse, behind, np.ones(behind.size, np.int64), FEW - len(first))
        packets, left_out = packets + which.size, left_out + glimpse.sequence.size - which.size
        late, top = late + behind.size, int(tops[-1]) if tops.size else top
    late = max(0, late - repeated)
    return Reordering(packets - repeated, left_out, late, late, min(late, 1), tuple(first), None, None)
