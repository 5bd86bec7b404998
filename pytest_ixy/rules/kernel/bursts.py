"""Runs of consecutive numbers, summed up in bounded memory: how many, how long, how far apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.rules.kernel import FEW

Places = NDArray[np.int64]

WIDE = 1 << 16
"""Lengths and distances from here on are not told apart."""
CLASSES = 1 << 12
NEAR = 16
"""A loss as near as this to the one before is noticeable: delta of RFC 3357."""


@dataclass(frozen=True)
class Bursts:
    """What is known of some runs of consecutive numbers.

    Attributes:
        total: Numbers in them.
        count: How many runs.
        near: Numbers at most `NEAR` above the one before.
        longest: First number and what follows the last, of the longest few; the longest first.
        lengths: The most frequent lengths below `WIDE`, and how many runs have each.
        distance: The most frequent distance below `WIDE` from one beginning to the next, and how often.
        classes: For powers of two from 2 to `CLASSES`: the most frequent remainder of the beginnings
            when divided by it, and how many beginnings have it.
    """

    total: int = 0
    count: int = 0
    near: int = 0
    longest: tuple[tuple[int, int], ...] = ()
    lengths: tuple[tuple[int, int], ...] = ()
    distance: tuple[int, int] = (0, 0)
    classes: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def of(cls, runs: Iterable[tuple[Places, Places]]) -> Bursts:
        """Sum up runs, told by their beginnings and what follows their ends, in ascending order."""
        tally = _Tally()
        for starts, ends in runs:
            if starts.size:
                tally.add(starts, ends)
        return tally.bursts() if tally.count else cls()


class _Tally:
    def __init__(self) -> None:
        self.count = self._total = self._near = 0
        self._longest: list[tuple[int, int]] = []
        self._lengths, self._distances = np.zeros(WIDE, np.int64), np.zeros(WIDE, np.int64)
        self._classes = np.zeros(CLASSES, np.int64)
        self._last: tuple[int, int] | None = None

    def add(self, starts: Places, ends: Places) -> None:
        lengths = ends - starts
        self.count += starts.size
        self._total += int(np.add.reduce(lengths))
        self._lengthy(starts, lengths)
        _histogram(self._lengths, lengths)
        _histogram(self._classes, starts % CLASSES)
        if self._last:
            starts, ends = np.append(self._last[0], starts), np.append(self._last[1], ends)
        self._near += int(np.count_nonzero(starts[1:] - ends[:-1] < NEAR))
        _histogram(self._distances, np.diff(starts))
        self._last = int(starts[-1]), int(ends[-1])

    def _lengthy(self, starts: Places, lengths: Places) -> None:
        left = lengths.copy()
        for _ in range(min(FEW, lengths.size)):
            at = int(left.argmax())
            if len(self._longest) == FEW and left[at] <= self._longest[-1][1]:
                break
            self._longest = [*self._longest, (int(starts[at]), int(lengths[at]))]
            self._longest = sorted(self._longest, key=lambda run: -run[1])[:FEW]
            left[at] = 0

    def bursts(self) -> Bursts:
        return Bursts(
            total=self._total,
            count=self.count,
            near=self._total - self.count + self._near,
            longest=tuple((start, start + length) for start, length in self._longest),
            lengths=_most(self._lengths),
            distance=next(iter(_most(self._distances)), (0, 0)),
            classes=tuple(_class(self._classes, k) for k in (2**power for power in range(1, 13))),
        )


def _histogram(into: NDArray[np.int64], values: Places) -> None:
    found = np.bincount(values[values < into.size])
    into[: found.size] += found


def _most(histogram: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """The most frequent few values and how often each is there, the most frequent first."""
    order = np.argsort(-histogram, kind="stable")[:FEW]
    return tuple((int(value), int(histogram[value])) for value in order if histogram[value])


def _class(remainders: NDArray[np.int64], k: int) -> tuple[int, int, int]:
    folded = remainders.reshape(-1, k).sum(axis=0)
    return k, int(folded.argmax()), int(folded.max())
