"""Which sequence numbers never came, and which came again: one bit a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 16
"""Bytes of bits that are unpacked at a time."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Runs of numbers that never came, though a higher one did.

    Attributes:
        count: How many runs.
        missing: How many numbers are in them.
        largest: First and last number of the largest, one row each, the largest one first.
    """

    count: int
    missing: int
    largest: NDArray[np.int64]


NO_GAPS = Gaps(0, 0, np.empty((0, 2), dtype=np.int64))


class Marks:
    """Marks numbers from `first` on, up to below `limit`."""

    def __init__(self, first: int, limit: int) -> None:
        self.first, self.limit = first, limit
        self._bits = np.zeros(max(limit - first, 0) // 8 + 1, dtype=np.uint8)

    def add(self, numbers: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mark numbers; True for each that was marked before, or stands in `numbers` before."""
        place = numbers - np.uint32(self.first)
        at, bit = place >> 3, np.uint8(1) << (place & 7).astype(np.uint8)
        again: NDArray[np.bool_] = (self._bits[at] & bit) != 0
        np.bitwise_or.at(self._bits, at, bit)
        if (numbers[1:] <= numbers[:-1]).any():
            later = np.ones(numbers.size, dtype=np.bool_)
            later[np.unique(numbers, return_index=True)[1]] = False
            again |= later
        return again

    def gaps(self, most: int) -> Gaps:
        """The gaps between `first` and the highest marked number; at most so many one by one."""
        count = missing = 0
        largest = NO_GAPS.largest
        for found in self._found():
            count += len(found)
            missing += int((found[:, 1] - found[:, 0] + 1).sum())
            together = np.concatenate((largest, found))
            largest = together[np.argsort(together[:, 0] - together[:, 1], kind="stable")[:most]]
        return Gaps(count, missing, largest)

    def _found(self) -> Iterator[NDArray[np.int64]]:
        last = self.first - 1
        for start in range(0, self._bits.size, PIECE):
            marks = np.unpackbits(self._bits[start : start + PIECE], bitorder="little")
            edges = np.append(last, np.flatnonzero(marks) + (8 * start + self.first))
            before = np.flatnonzero(np.diff(edges) > 1)
            last = edges[-1]
            yield np.stack((edges[before] + 1, edges[before + 1] - 1), axis=1)
