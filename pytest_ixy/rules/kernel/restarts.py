"""Where numbering begins anew: falls of the sequence number that nothing takes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def restarts(glimpses: Iterable[Glimpse], packets: int, window: int) -> list[Jump] | None:
    """Falls by more than `window` from which numbers do not come back; None when there are too many jumps.

    A jump comes back from an earlier one of the other direction when it lands within `window` of where
    that one began; what jumped in between is settled by it too. Few packets behind the last fall, of
    `packets` in all, are late ones: at least `window` have to follow, or as many as are in front.
    """
    pending: list[Jump] = []
    for count, jump in enumerate(_jumps(glimpses, window), 1):
        came_from = _came_from(pending, jump, window)
        if came_from is None:
            pending.append(jump)
        else:
            del pending[came_from:]
        if count > MOST or len(pending) > DEEPEST:
            return None
    return [jump for jump in pending if jump.falls and packets - jump.ahead >= min(window, jump.ahead)]


def _came_from(pending: list[Jump], jump: Jump, window: int) -> int | None:
    for place in range(len(pending) - 1, -1, -1):
        earlier = pending[place]
        if earlier.falls != jump.falls and abs(jump.after.number - earlier.before.number) <= window:
            return place
    return None


def _jumps(glimpses: Iterable[Glimpse], window: int) -> Iterator[Jump]:
    last, ahead = None, 0
    for glimpse in glimpses:
        numbers = glimpse.sequence.astype(np.int64)
        if not numbers.size:
            continue
        steps = np.diff(numbers, prepend=last.number if last else numbers[0])
        places = np.flatnonzero(abs(steps) > window)
        for start in range(0, places.size, PIECE):
            yield from _at(places[start : start + PIECE], glimpse, last, ahead)
        last = glimpse.take(np.array([numbers.size - 1])).each()[0]
        ahead += numbers.size


def _at(places: Column, glimpse: Glimpse, last: One | None, ahead: int) -> Iterator[Jump]:
    ends = (_before(glimpse, places, last), glimpse.take(places).each())
    for place, before, after in zip(places.tolist(), *ends, strict=True):
        yield Jump(before, after, ahead + place, after.number < before.number)


def _before(glimpse: Glimpse, places: Column, last: One | None) -> list[One]:
    """The packets in front of some; the first one's stands in the glimpse before."""
    inside = glimpse.take(places[places > 0] - 1).each()
    return [last, *inside] if last and len(inside) < places.size else inside
