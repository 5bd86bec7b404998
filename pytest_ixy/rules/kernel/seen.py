"""Which sequence numbers came: one bit a number, in memory that is bounded whatever the numbers are."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint32]
Places = NDArray[np.int64]

FEW = 5
PAGE = 15
"""A page of memory, 4 KiB, has the bits of 2**15 numbers."""
PAGES = 1 << (32 - PAGE)
MOST = 1 << 13
"""Pages that are in use at a time: 32 MiB; enough for 268 million packets, a bound for damaged numbers."""
SPAN = 1 << 18
"""A batch whose numbers are within so many of each other is looked at as a stretch of bits."""

FREE, MINE, DONE = 0, 1, 2


@dataclass(frozen=True)
class Repeat:
    """A packet whose number came before: the number, and the packet's 1-based frame number."""

    number: int
    frame: int


class Seen:
    """Marks numbers, and counts those that were marked already.

    Where numbers are spread so far that the pages do not suffice, those of further pages are left
    out, and `left_out` is True: `turn` the page then, and add all numbers once more.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self.highest: int | None = None
        self._first: list[Repeat] = []
        self._state = np.zeros(PAGES, dtype=np.uint8)
        self._fresh()

    def _fresh(self) -> None:
        # An array of numpy's own would be made of huge pages: 2 MiB for each number far from others.
        memory = mmap.mmap(-1, PAGES << (PAGE - 3), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        self._bits = np.frombuffer(memory, dtype=np.uint8)
        self._used, self._noted, self.left_out = 0, 0, False

    @property
    def first(self) -> tuple[Repeat, ...]:
        """The first few repeated packets in the order of the capture."""
        return tuple(sorted(self._first, key=lambda one: one.frame)[:FEW])

    def turn(self) -> None:
        """Forget all marks and make room for the numbers that were left out; the others count no more."""
        self._state[self._state == MINE] = DONE
        self._fresh()

    def add(
        self, numbers: Numbers, frame_of: Callable[[Places], Places], *, consecutive: bool = False
    ) -> None:
        """Mark numbers in the order of the capture.

        Args:
            numbers: Of the next packets.
            frame_of: Frame numbers of some of these packets, given their places in `numbers`.
            consecutive: Whether each number is known to be one more than the one before it.
        """
        if not numbers.size:
            return
        ends = (numbers[0], numbers[-1]) if consecutive else (numbers.min(), numbers.max())
        low, high = int(ends[0]), int(ends[1])
        self.highest = max(self.highest or 0, high)
        near = high - low < SPAN
        pages = np.arange(low >> PAGE, (high >> PAGE) + 1) if near else _pages(numbers)
        self._claim(pages)
        if near and np.count_nonzero(self._state[pages] == MINE) == pages.size:
            self._add_near(numbers, low, high, frame_of, consecutive=consecutive)
            return
        places = np.flatnonzero(self._state[numbers >> PAGE] == MINE)
        self._add_far(numbers[places], lambda some: frame_of(places[some]))

    def _claim(self, pages: Places | Numbers) -> None:
        free = pages[self._state[pages] == FREE]
        taken = free[: MOST - self._used]
        self._state[taken] = MINE
        self._used += taken.size
        self.left_out = self.left_out or taken.size < free.size

    def _add_near(
        self,
        numbers: Numbers,
        low: int,
        high: int,
        frame_of: Callable[[Places], Places],
        *,
        consecutive: bool,
    ) -> None:
        stretch, base = slice(low >> 3, (high >> 3) + 1), low & ~7
        marks = np.unpackbits(self._bits[stretch], bitorder="little")
        ordered = slice(low - base, high + 1 - base)
        if consecutive and not np.count_nonzero(marks[ordered]):
            marks[ordered] = 1
        else:
            before, places = int(np.count_nonzero(marks)), numbers - np.uint32(base)
            known = marks[places]
            marks[places] = 1
            repeated = numbers.size + before - int(np.count_nonzero(marks))
            self._count(numbers, repeated, known, frame_of)
        self._bits[stretch] = np.packbits(marks, bitorder="little")

    def _add_far(self, numbers: Numbers, frame_of: Callable[[Places], Places]) -> None:
        known = self._bits[numbers >> 3] >> (numbers & 7).astype(np.uint8) & 1
        fresh = np.sort(numbers[known == 0])  # np.unique would hash, which takes ten times as long
        fresh = fresh[np.diff(fresh, prepend=~fresh[:1]) != 0]
        self._count(numbers, numbers.size - fresh.size, known, frame_of)
        np.bitwise_or.at(self._bits, fresh >> 3, np.uint8(1) << (fresh & 7).astype(np.uint8))

    def _count(
        self, numbers: Numbers, repeated: int, known: NDArray[np.uint8], frame_of: Callable[[Places], Places]
    ) -> None:
        """Count repeated packets, and note the first few of them; `known` is 1 for those marked before."""
        self.repeated += repeated
        if not repeated or self._noted >= FEW:
            return
        again = np.ones(numbers.size, dtype=bool)
        _, bearers = np.unique(numbers, return_index=True)
        again[bearers] = known[bearers] == 1
        places = np.flatnonzero(again)[: FEW - self._noted]
        self._noted += places.size
        pairs = zip(numbers[places].tolist(), frame_of(places).tolist(), strict=True)
        self._first += [Repeat(number, frame) for number, frame in pairs]


def _pages(numbers: Numbers) -> Places:
    touched = np.zeros(PAGES, dtype=np.bool_)
    touched[numbers >> PAGE] = True
    return np.flatnonzero(touched)
