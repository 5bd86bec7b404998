"""Enhanced packet blocks of one size right behind each other: guessed, and proven.

Each block of a pcapng tells where the next one stands, which is slow to follow one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_ixy.capture.block import Block, Column, Frames, overlapping
from pytest_ixy.capture.flaw import ETHERNET, LONGEST_FRAME
from pytest_ixy.capture.interface import Interface, nanoseconds
from pytest_ixy.capture.rows import NONE, WIDTH, Bytes, Rows, varying
from pytest_ixy.capture.times import Stamps, Times, Values, rising, wide
from pytest_ixy.capture.window import Window

ENHANCED = 6
HEAD, TAIL = 28, 4
"""Bytes before and behind the frame and its padding."""

COMMON = np.array([*range(12), *range(20, 24), *range(-TAIL, 0)])
"""Places of the type, of both lengths of the block, of the interface and of the frame's length."""

MOST = 1 << 63
"""No time is so many ns away from 1970, but by nonsense that does not fit its number."""


@dataclass(frozen=True, eq=False)
class Even:
    """Blocks that have all but the time, the original length and the frame's bytes in common.

    Attributes:
        rows: The blocks.
        varying: The bits that are not the same in all of them.
        begin: Where the first one stands.
        captured: Bytes of each frame.
        interface: What captured them.
        words: The buffer as numbers of 32 bits, one beginning at every byte.
    """

    rows: Bytes
    varying: Bytes
    begin: int
    captured: int
    interface: Interface
    words: Values

    def block(self, first: int, window: Window) -> Block:
        """As a block whose first frame has that number."""

        def look(which: Column | slice) -> Frames:
            return self._frames(self._records[which], window)

        times = Times(self._steady, lambda: self._stamps(look(slice(None))))
        ends = self._time(self._ticks(0)), self._time(self._ticks(len(self.rows) - 1))
        return Block(first, len(self.rows), ends, look, self._side_by_side, times)

    @property
    def _side_by_side(self) -> Rows | None:
        if self.captured < WIDTH:
            return None
        original = None if np.count_nonzero(self.varying[24:28]) else int(self.words[self.begin + 24])
        lengths = None if original is None else (self.captured, original)
        frame = slice(HEAD, HEAD + self.captured)
        return Rows(self.rows[:, frame], self.varying[frame], NONE, lengths)

    @property
    def _records(self) -> Column:
        return np.asarray(self.begin + np.arange(len(self.rows)) * self.rows.shape[1])

    def _frames(self, records: Column, window: Window) -> Frames:
        def column(offset: int) -> Column:
            return self.words[records + offset].astype(np.int64)

        def clock() -> Column:
            ticks = wide(self.words[records + 12], self.words[records + 16])
            return nanoseconds(ticks, np.zeros(ticks.size, np.int64), [self.interface])

        return Frames(window.memory, records + HEAD, column(20), column(24), clock)

    def _stamps(self, frames: Frames) -> Stamps:
        count = len(self.rows)
        return Stamps(frames.time, timed=np.ones(count, np.bool_), wild=np.zeros(count, np.bool_))

    def _ticks(self, row: int) -> int:
        record = self.begin + row * self.rows.shape[1]
        return int(self.words[record + 12]) << 32 | int(self.words[record + 16])

    def _time(self, ticks: int) -> int:
        """A time of more than 64 bits loses the upper ones, as in `nanoseconds`."""
        return (self.interface.time(ticks) + MOST) % (2 * MOST) - MOST

    def _steady(self) -> bool:
        ends = (self.interface.time(self._ticks(row)) for row in (0, len(self.rows) - 1))
        if not all(-MOST <= time < MOST for time in ends):
            return False
        low = self._column(16)
        return rising(wide(self._column(12), low) if np.count_nonzero(self.varying[12:16]) else low)

    def _column(self, at: int) -> Values:
        return self.rows[:, at : at + 4].view(self.words.dtype)[:, 0].astype(np.uint32)


def even(window: Window, order: str, interfaces: Sequence[Interface]) -> Even | None:
    """All whole blocks that are left, if they are alike and sound; they stand from the position on."""
    begin = window.position
    if window.left < HEAD + TAIL:
        return None
    kind, total, which, _, _, captured, _ = struct.unpack_from(order + "7I", window.memory, begin)
    if kind != ENHANCED or total % 4 or not HEAD + TAIL + captured <= total <= window.left:
        return None
    if captured > LONGEST_FRAME or which >= len(interfaces) or interfaces[which].link != ETHERNET:
        return None
    last = begin + (window.left // total - 1) * total
    if window.memory[begin : begin + 12] != window.memory[last : last + 12]:
        return None
    rows = window.data[begin : last + total].reshape(-1, total)
    bits = varying(rows)
    words = overlapping(window.memory, order + "u4")
    if np.count_nonzero(bits[COMMON]) or words[begin + total - TAIL] != total:
        return None
    return Even(rows, bits, begin, captured, interfaces[which], words)
