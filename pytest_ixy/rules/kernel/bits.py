"""A set of whole numbers, one bit each, that can be counted up to a number and counted off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Words = NDArray[np.uint64]

WORD = 6
"""A word has the bits of 2**6 numbers."""
ONE = np.uint64(1)


class Bits:
    """Numbers from 0 to below `size`; in memory a bit for each, and half a bit more for counting."""

    def __init__(self, size: int) -> None:
        self._fill(np.zeros((size >> WORD) + 1, np.uint64))

    def _fill(self, words: Words) -> None:
        self._words = words
        self._before = np.zeros(words.size + 1, np.uint32)
        self._last = 0

    @classmethod
    def of(cls, words: Words) -> Bits:
        """Those whose bits are set, counted."""
        bits = cls(0)
        bits._fill(words)
        bits._count(words.size - 1)
        return bits

    def __len__(self) -> int:
        """How many are in it, as last counted."""
        return int(self._before[self._last + 1])

    def has(self, numbers: Places) -> NDArray[np.bool_]:
        """Which of some numbers are in it."""
        bits: Words = (self._words[numbers >> WORD] >> _bit(numbers)) & ONE
        return bits.astype(np.bool_)

    def add(self, numbers: Places) -> None:
        """Put numbers in, without counting them."""
        np.bitwise_or.at(self._words, numbers >> WORD, ONE << _bit(numbers))

    def append(self, numbers: Places) -> None:
        """Put numbers in that rise and lie above all before, and count them."""
        if numbers.size:
            words = numbers >> WORD
            begins = np.flatnonzero(np.diff(words, prepend=-1))
            self._words[words[begins]] |= np.bitwise_or.reduceat(ONE << _bit(numbers), begins)
            self._count(int(words[-1]))

    def _count(self, last: int) -> None:
        """Count up to that word; what was counted before is below or in the last one that was counted."""
        counts = np.bitwise_count(self._words[self._last : last + 1])
        sums = np.cumsum(counts, dtype=np.uint32)
        self._before[self._last + 1 : last + 2] = self._before[self._last] + sums
        self._last = last

    def below(self, numbers: Places) -> Places:
        """How many are below each of some numbers; none of which is beyond what was counted."""
        words = numbers >> WORD
        lower = self._words[words] & ((ONE << _bit(numbers)) - ONE)
        counts: Places = self._before[words].astype(np.int64)
        counts += np.bitwise_count(lower)
        return counts

    def nth(self, places: Places) -> Places:
        """The numbers at some places of their ascending order, counted from 0."""
        counts = self._before[: self._last + 1]
        words = np.searchsorted(counts, places.astype(np.uint32), side="right") - 1
        rest = (places - counts[words]).astype(np.uint8)
        return (words << WORD) + _nth(self._words[words], rest)


def _bit(numbers: Places) -> Words:
    return (numbers & ((1 << WORD) - 1)).astype(np.uint64)


def _nth(words: Words, places: NDArray[np.uint8]) -> Places:
    """Which bit of each word is the one at that place among those that are set: halve until one is left."""
    found = np.zeros(words.size, np.int64)
    for width in (32, 16, 8, 4, 2, 1):
        low = np.bitwise_count(words & np.uint64((1 << width) - 1))
        high = places >= low
        places = np.where(high, places - low, places)
        words = np.where(high, words >> np.uint64(width), words)
        found += width * high
    return found
