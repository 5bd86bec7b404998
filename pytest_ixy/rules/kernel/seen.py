"""Which sequence numbers came, and which came again: a bit for each, in memory that is bounded."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.bursts import Bursts
from pytest_ixy.rules.kernel.stretches import PAGE, Words, stretches

if TYPE_CHECKING:
    from pytest_ixy.rules.kernel.numbered import Numbered

Numbers = NDArray[np.uint32]
Places = NDArray[np.int64]

PAGES = 1 << (32 - PAGE)
MOST = 1 << 13
"""Pages that are in use at a time: 32 MiB, and as much again for what is repeated; enough for 268 million
packets, a bound for damaged numbers."""
SPAN = 1 << 18
"""Numbers of a batch that are within so many of each other are looked at as a stretch of bits."""

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

    Attributes:
        repeated: Packets whose number was marked.
        replicated: Different numbers among theirs.
        highest: The highest number; None when there is none.
        turned: True when marks were forgotten: which numbers came cannot be told any more.
    """

    def __init__(self) -> None:
        self.repeated = self.replicated = 0
        self.turned = False
        self.highest: int | None = None
        self._first: list[Repeat] = []
        self._state = np.zeros(PAGES, dtype=np.uint8)
        self._fresh()

    def _fresh(self) -> None:
        self._bits, self._twice = _bitmap(), _bitmap()
        self._used, self._noted, self._full, self.left_out = 0, 0, False, False

    @property
    def first(self) -> tuple[Repeat, ...]:
        """The first few repeated packets in the order of the capture."""
        return tuple(sorted(self._first, key=lambda one: one.frame)[:FEW])

    def turn(self) -> None:
        """Forget all marks and make room for the numbers that were left out; the others count no more."""
        self._state[self._state == MINE] = DONE
        self._fresh()
        self.turned = True

    def came(self, highest: int) -> Words:
        """A copy of the marks of all numbers up to that one, a bit each."""
        return _up_to(self._bits, highest)

    def twice(self, highest: int) -> Words:
        """The same of the numbers that came more than once."""
        return _up_to(self._twice, highest)

    def missing(self, low: int, high: int) -> Bursts:
        """The numbers between those two, both included, that are not marked."""
        return Bursts.of(stretches(self._bits, self._state == MINE, low, high, marked=False))

    def again(self) -> Bursts:
        """The numbers that came more than once."""
        return Bursts.of(stretches(self._twice, self._state == MINE, 0, self.highest or 0, marked=True))

    def top(self, low: int, high: int) -> int | None:
        """The highest marked number between those two, both included; None when there is none."""
        for page in np.flatnonzero(self._state[low >> PAGE : (high >> PAGE) + 1] == MINE)[::-1].tolist():
            start = (page + (low >> PAGE)) << PAGE
            marks = np.unpackbits(self._bits[start >> 3 : (start + (1 << PAGE)) >> 3], bitorder="little")
            places = np.flatnonzero(marks[: high + 1 - start])
            if places.size:
                return start + int(places[-1]) if start + places[-1] >= low else None
        return None

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
        low, high = _ends(numbers, consecutive=consecutive)
        self.highest = max(self.highest or 0, high)
        self._full = self._noted >= FEW
        if high - low < SPAN:
            self._add_near(numbers, low, high, frame_of, consecutive=consecutive)
            return
        for part in _parts(numbers):
            self._add_part(numbers[part], _those(frame_of, part))

    def _add_part(self, numbers: Numbers, frame_of: Callable[[Places], Places]) -> None:
        low, high = _ends(numbers)
        if high - low < SPAN:
            self._add_near(numbers, low, high, frame_of)
        else:
            self._add_far(numbers, frame_of)

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
        consecutive: bool = False,
    ) -> None:
        pages = np.arange(low >> PAGE, (high >> PAGE) + 1)
        self._claim(pages)
        if np.count_nonzero(self._state[pages] == MINE) < pages.size:
            self._add_far(numbers, frame_of)
            return
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
        self._claim(_pages(numbers))
        mine = np.flatnonzero(self._state[numbers >> PAGE] == MINE)
        self._mark_far(numbers[mine], _those(frame_of, mine))

    def _mark_far(self, numbers: Numbers, frame_of: Callable[[Places], Places]) -> None:
        known = self._bits[numbers >> 3] >> (numbers & 7).astype(np.uint8) & 1
        fresh = np.sort(numbers[known == 0])  # np.unique would hash, which takes ten times as long
        fresh = fresh[np.diff(fresh, prepend=~fresh[:1]) != 0]
        self._count(numbers, numbers.size - fresh.size, known, frame_of)
        np.bitwise_or.at(self._bits, fresh >> 3, np.uint8(1) << (fresh & 7).astype(np.uint8))

    def _count(
        self, numbers: Numbers, repeated: int, known: NDArray[np.uint8], frame_of: Callable[[Places], Places]
    ) -> None:
        """Count repeated packets, and note the first few of them; `known` is 1 for those marked before."""
        if not repeated:
            return
        self.repeated += repeated
        self._replicate(numbers, repeated, known)
        if self._full:
            return
        again = np.ones(numbers.size, dtype=bool)
        _, bearers = np.unique(numbers, return_index=True)
        again[bearers] = known[bearers] == 1
        places = np.flatnonzero(again)[:FEW]
        self._noted += places.size
        pairs = zip(numbers[places].tolist(), frame_of(places).tolist(), strict=True)
        self._first += [Repeat(number, frame) for number, frame in pairs]

    def _replicate(self, numbers: Numbers, repeated: int, known: NDArray[np.uint8]) -> None:
        """Mark the numbers of repeated packets."""
        again = numbers[known == 1]
        if again.size < repeated:  # some come twice among these packets
            new = np.sort(numbers[known == 0])
            again = np.concatenate((again, new[1:][new[1:] == new[:-1]]))
        again = np.sort(again)
        again = again[np.diff(again, prepend=~again[:1]) != 0]
        masks = np.uint8(1) << (again & 7).astype(np.uint8)
        self.replicated += int(np.count_nonzero(self._twice[again >> 3] & masks == 0))
        np.bitwise_or.at(self._twice, again >> 3, masks)


def within(batches: Iterable[Numbered], low: int, high: int) -> Seen | None:
    """Only the numbers between those two, both included; None where even they are spread too far."""
    seen = Seen()
    for batch in batches:
        inside = (batch.sequence >= low) & (batch.sequence <= high)
        seen.add(batch.sequence[inside], batch.frame[inside].__getitem__)
    return None if seen.left_out else seen


def _bitmap() -> NDArray[np.uint8]:
    # An array of numpy's own would be made of huge pages: 2 MiB for each number far from others.
    memory = mmap.mmap(-1, PAGES << (PAGE - 3), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype=np.uint8)


def _up_to(bits: NDArray[np.uint8], highest: int) -> Words:
    words = bits.view(np.uint64)[: (highest >> 6) + 1].copy()
    words[-1] &= np.uint64((2 << (highest & 63)) - 1)
    return words


def _those(frame_of: Callable[[Places], Places], part: Places) -> Callable[[Places], Places]:
    """Tells the frame numbers of packets that are known by their places in a part of all."""
    return lambda some: frame_of(part[some])


def _ends(numbers: Numbers, *, consecutive: bool = False) -> tuple[int, int]:
    """The lowest and the highest number."""
    ends = (numbers[0], numbers[-1]) if consecutive else (numbers.min(), numbers.max())
    return int(ends[0]), int(ends[1])


def _parts(numbers: Numbers) -> Iterator[Places]:
    """Where numbers near each other stand, if most are, and where the others do."""
    middle = int(np.sort(numbers[[0, numbers.size // 2, -1]])[1])
    low = min(max(0, middle - SPAN // 2), (1 << 32) - SPAN)
    near = numbers - np.uint32(low) < SPAN  # lower ones wrap
    if 2 * np.count_nonzero(near) > near.size:
        yield np.flatnonzero(near)
        yield np.flatnonzero(~near)
    else:
        yield np.arange(numbers.size)


def _pages(numbers: Numbers) -> Places:
    touched = np.zeros(PAGES, dtype=np.bool_)
    touched[numbers >> PAGE] = True
    return np.flatnonzero(touched)
