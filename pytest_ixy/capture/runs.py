"""Guesses where the records of a classic pcap stand, and proof that they do.

Each record tells where the next one stands, which is slow to follow one by one. The functions here
guess many at once; what they return is proven, and None or less than all is always an answer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from pytest_ixy.capture.block import Column, overlapping
from pytest_ixy.capture.flaw import LONGEST_FRAME
from pytest_ixy.capture.rows import NONE, WIDTH, Bytes, Rows, varying
from pytest_ixy.capture.times import Values, among, rising, wide
from pytest_ixy.capture.window import Window

RECORD = 16
AHEAD = 256
CROWD = 64
"""So many records of another length may come before it is asked whether runs are worth it."""
SHORT = 32
"""Runs shorter than this on average are not."""

LANES = 512


@dataclass(frozen=True, eq=False)
class Runs:
    """Records of one length side by side, header included, and those of other lengths between them.

    Attributes:
        rows: The records of the one length.
        varying: The bits that are not the same in all of them; none of the lengths' is.
        where, count: Offset of each run's first record, and how many records it has.
        single: Offset of each other record.
        others: How many records stand before each of those.
        begin, last, end: Offset of the first record, of the last one, and behind that.
        words: The buffer as numbers of 32 bits in the byte order of the lengths, one beginning at every byte.
    """

    rows: Bytes
    varying: Bytes
    where: Column
    count: Column
    single: Column
    others: Column
    begin: int
    last: int
    end: int
    words: Values

    @property
    def frames(self) -> Rows | None:
        """The frames of the one length; None when they are too short."""
        if self.rows.shape[1] < RECORD + WIDTH:
            return None
        captured, original = self.rows[0, 8:16].view(self.words.dtype).tolist()
        lengths = None if np.count_nonzero(self.varying[12:16]) else (captured, original)
        return Rows(self.rows[:, RECORD:], self.varying[RECORD:], self.others, lengths)

    @property
    def total(self) -> int:
        """How many records there are."""
        return len(self.rows) + self.single.size

    def at(self, which: Column | slice) -> Column:
        """Where those records stand, counted from 0 in the order of the capture."""
        which = np.arange(self.total)[which] if isinstance(which, slice) else which
        before = np.searchsorted(self.others, which)
        one = np.append(self.others, -1)[before] == which
        among = which - before
        ends = np.cumsum(self.count)
        run = np.minimum(np.searchsorted(ends, among, side="right"), ends.size - 1)
        place = self.where[run] + (among - ends[run] + self.count[run]) * self.rows.shape[1]
        return np.where(one, np.append(self.single, 0)[before], place)

    def column(self, at: int) -> Values:
        """The number that stands there in the header of each record, in the order of the capture."""
        same = self._column(at)
        if not self.single.size:
            return same
        return np.insert(same, self.others - np.arange(self.single.size), self.words[self.single + at])

    def steady(self, second: int) -> bool:
        """Whether no time steps back, and no fraction has so many units as a second has."""
        low = self._column(4)
        if self.single.size or np.count_nonzero(self.varying[:4]):
            return self._steady(low, second)
        return int(low[-1]) < second and rising(low)

    def _steady(self, low: Values, second: int) -> bool:
        """The same where seconds pass, or where other records stand between those of `rows`."""
        apart, seconds = self.words[self.single + 4], self.words[self.single]
        if int(np.maximum.reduce(low)) >= second or np.count_nonzero(apart >= second):
            return False
        if np.count_nonzero(self.varying[:4]) or np.count_nonzero(seconds != self.words[self.where[0]]):
            low, apart = wide(self._column(0), low), wide(seconds, apart)
        return rising(low) and among(low, apart, self.others - np.arange(apart.size))

    def _column(self, at: int) -> Values:
        """A number of the header of each of `rows`."""
        return self.rows[:, at : at + 4].view(self.words.dtype)[:, 0].astype(np.uint32)


def uniform(window: Window, stride: int, order: str) -> Runs | None:
    """All whole records that are left, if they have that length each."""
    count = window.left // stride
    begin, last = window.position, window.position + (count - 1) * stride
    if window.memory[begin + 8 : begin + 12] != window.memory[last + 8 : last + 12]:
        return None
    rows = window.data[begin : last + stride].reshape(count, stride)
    bits = varying(rows)
    if np.count_nonzero(bits[8:12]):
        return None
    words = overlapping(window.memory, order + "u4")
    return Runs(
        rows, bits, np.array([begin]), np.array([count]), NONE, NONE, begin, last, last + stride, words
    )


def leap(window: Window, stride: int, order: str) -> Runs | None:
    """Runs of records of that length, others between them; None where runs are short."""
    hops = _hops(window, stride, order)
    if hops is None or not hops[0]:
        return None
    runs, single, others, end = hops
    pieces = [window.data[where : where + count * stride] for where, count in runs]
    size = sum(piece.size for piece in pieces)
    rows = np.concatenate(pieces, out=window.side[:size]).reshape(-1, stride)
    bits = varying(rows)
    if np.count_nonzero(bits[8:12]):
        return None
    where, count = np.array(runs, dtype=np.int64).T
    last = max([int(where[-1] + (count[-1] - 1) * stride), *single[-1:]])
    singles = np.array(single, np.int64), np.array(others, np.int64)
    words = overlapping(window.memory, order + "u4")
    return Runs(rows, bits, where, count, *singles, window.position, last, end, words)


def _hops(
    window: Window, stride: int, order: str
) -> tuple[list[tuple[int, int]], list[int], list[int], int] | None:
    """Runs (where, count), single records, how many stand before each of them, and where all end.

    A run is guessed by the lowest byte of the length of up to `AHEAD` records at once; so one of its
    records but the first and the last may be none. The loop is plain, because its steps are many.
    """
    memory, position, end = window.memory, window.position, window.end
    length = struct.Struct(order + "I").unpack_from
    usual = stride - RECORD
    low, at = bytes([usual & 0xFF]), 8 if order == "<" else 11
    limit = end - stride + at + 1
    runs: list[tuple[int, int]] = []
    single: list[int] = []
    others: list[int] = []
    total = 0
    while position + RECORD <= end:
        (captured,) = length(memory, position + 8)
        step = RECORD + captured
        if captured > LONGEST_FRAME or position + step > end:
            break
        if captured != usual:
            single.append(position)
            others.append(total)
            total, position = total + 1, position + step
            if len(single) > CROWD and total < SHORT * len(single):
                return None
            continue
        look = memory[position + at : min(limit, position + at + AHEAD * stride) : stride]
        count = len(look) - len(look.lstrip(low))
        if length(memory, position + (count - 1) * stride + 8)[0] != usual:
            count -= 1  # another length with the same low byte
        runs.append((position, count))
        total, position = total + count, position + count * stride
    return runs, single, others, position


def lanes(window: Window, order: str) -> tuple[Column, int]:
    """Where records stand from the window's position on as far as could be proven, and where they end.

    The window is cut into lanes that are followed side by side. Where a lane may begin is guessed by
    the time of the records; the guess was right when the lane before it ends exactly there.
    """
    starts = _guesses(window, order)
    lengths = overlapping(window.memory, order + "u4")
    place, stop = starts[:-1], starts[1:]
    steps, moves = [place], [np.ones(place.size, dtype=bool)]
    while True:
        following = place + lengths[place + 8] + RECORD
        move = following < stop
        if not move.any():
            break
        place = np.where(move, following, place)
        steps.append(place)
        moves.append(move)
    good = int(np.append(following == stop, False).argmin())
    found = np.stack(steps, axis=1)[:good][np.stack(moves, axis=1)[:good]]
    if found.size and lengths[found + 8].max() > LONGEST_FRAME:
        return found[:0], window.position
    return found, int(starts[good])


def _guesses(window: Window, order: str) -> Column:
    """Offsets at which records may begin, about evenly far apart; the first is the window's position."""
    memory, begin, end = window.memory, window.position, window.end
    skip = 1 if order == "<" else 0  # the lowest byte of the seconds changes too often
    mark = memory[begin + skip : begin + skip + 3]
    bounds = range(begin + skip, end, max(RECORD, window.left // LANES))
    found = np.array([begin, *(memory.find(mark, bound, end) - skip for bound in bounds[1:])])
    places = np.unique(found[(found >= 0) & (found + RECORD <= end)])
    words, lengths = overlapping(memory, "<u4"), overlapping(memory, order + "u4")
    following = np.minimum(places + RECORD + lengths[places + 8], end)
    alike = (words[following] ^ words[begin]) & int.from_bytes(bytes(skip) + b"\xff" * 3, "little") == 0
    alike[0] = True
    return np.asarray(places[alike])
