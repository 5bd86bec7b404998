"""Where numbering begins anew: falls of the sequence number that nothing takes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pytest_ixy.capture import Column
from pytest_ixy.rules.kernel.numbered import Glimpse, One

MOST, DEEPEST = 100_000, 1_000
"""Jumps that are looked at, and how many of them may be open: bounds for damaged numbers."""
PIECE = 1_000
"""Jumps that are made ready at a time."""


@dataclass(frozen=True)
class Jump:
    """Two packets, one behind the other, with numbers far from each other.

    Attributes:
        before, after: The packets.
        ahead: How many numbered packets stand in front of the second one.
        falls: Whether the second number is the lower one.
    """

    before: One
    after: One
    ahead: int
    falls: bool


class Restarts:
    """Watches for falls by more than `window` from which numbers do not come back.

    A jump comes back from an earlier one of the other direction when it lands within `window` of where
    that one began; what jumped in between is settled by it too.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._pending: list[Jump] = []
        self._last: One | None = None
        self._ahead = self._jumps = 0
        self._lost = False

    def add(self, glimpse: Glimpse) -> None:
        """Look at the next packets."""
        numbers = glimpse.sequence.astype(np.int64)
        if self._lost or not numbers.size:
            return
        steps = np.diff(numbers, prepend=self._last.number if self._last else numbers[0])
        places = np.flatnonzero(abs(steps) > self._window)
        for start in range(0, places.size, PIECE):
            for jump in _at(places[start : start + PIECE], glimpse, self._last, self._ahead):
                self._settle(jump)
        self._last = glimpse.take(np.array([numbers.size - 1])).each()[0]
        self._ahead += numbers.size

    def _settle(self, jump: Jump) -> None:
        if self._lost:
            return
        came_from = _came_from(self._pending, jump, self._window)
        if came_from is None:
            self._pending.append(jump)
        else:
            del self._pending[came_from:]
        self._jumps += 1
        self._lost = self._jumps > MOST or len(self._pending) > DEEPEST

    def found(self) -> list[Jump] | None:
        """Those falls, once all packets were shown; None when there were too many jumps.

        Few packets behind the last one are late ones: at least `window` have to follow, or as many as are
        in front.
        """
        if self._lost:
            return None
        falls = (jump for jump in self._pending if jump.falls)
        return [jump for jump in falls if self._ahead - jump.ahead >= min(self._window, jump.ahead)]


def _came_from(pending: list[Jump], jump: Jump, window: int) -> int | None:
    for place in range(len(pending) - 1, -1, -1):
        earlier = pending[place]
        if earlier.falls != jump.falls and abs(jump.after.number - earlier.before.number) <= window:
            return place
    return None


def _at(places: Column, glimpse: Glimpse, last: One | None, ahead: int) -> Iterator[Jump]:
    ends = (_before(glimpse, places, last), glimpse.take(places).each())
    for place, before, after in zip(places.tolist(), *ends, strict=True):
        yield Jump(before, after, ahead + place, after.number < before.number)


def _before(glimpse: Glimpse, places: Column, last: One | None) -> list[One]:
    """The packets in front of some; the first one's stands in the glimpse before."""
    inside = glimpse.take(places[places > 0] - 1).each()
    return [last, *inside] if last and len(inside) < places.size else inside
