"""Classic pcap: a header of 24 bytes, then records of 16 bytes and a frame each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np

from pytest_ixy.capture.block import PATIENCE, Block, Column, Frames, Look, Offsets, overlapping, repeats
from pytest_ixy.capture.flaw import ETHERNET, LONGEST_FRAME, CaptureFlaw
from pytest_ixy.capture.rows import Rows
from pytest_ixy.capture.runs import RECORD, lanes, leap, uniform
from pytest_ixy.capture.times import Stamps, Times, Values, steady
from pytest_ixy.capture.window import Window

Order = Literal["<", ">"]

FORMATS: dict[bytes, tuple[Order, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""First four bytes -> byte order and nanoseconds per unit of the second half of a time."""

HEADER = 24


def read(window: Window) -> Iterator[Block]:
    """The records of the capture that the window stands at the start of; see `capture.blocks`."""
    if window.left < HEADER:
        raise CaptureFlaw.header(window.left, HEADER)
    order, unit = FORMATS[bytes(window.data[:4])]
    # The upper half of the last word tells the length of the frame check sequence.
    link = struct.unpack_from(order + "I", window.memory, 20)[0] & 0xFFFF
    window.position = HEADER
    if link != ETHERNET:
        raise CaptureFlaw.link_type(link, 1, HEADER)
    yield from _Reader(window, order, unit).blocks()


class _Reader:
    """Keeps what was read so far, which length most records have, and whether all of late had the same."""

    def __init__(self, window: Window, order: Order, unit: int) -> None:
        self.window, self.order, self.unit = window, order, unit
        self.second = 1_000_000_000 // unit
        self.frames = 0
        self.stride = 0
        self.even = False

    def blocks(self) -> Iterator[Block]:
        while True:
            while (stride := self._stride()) and (block := self._block(stride)):
                yield block
                self.frames += block.count
            self._refuse_impossible()
            if not self.window.refill(2 if self.even else 1):
                break
        if self.window.left:
            raise CaptureFlaw.cut(self.frames + 1, self.window.byte, self.window.left)

    def _stride(self) -> int:
        """Bytes of the next record, 0 when it is not whole or impossible."""
        captured = self._captured()
        whole = captured <= min(LONGEST_FRAME, self.window.left - RECORD)
        return RECORD + captured if whole else 0

    def _captured(self) -> int:
        if self.window.left < RECORD:
            return LONGEST_FRAME
        captured: int = struct.unpack_from(self.order + "I", self.window.memory, self.window.position + 8)[0]
        return captured

    def _refuse_impossible(self) -> None:
        if (captured := self._captured()) > LONGEST_FRAME:
            why = f"it claims to hold {captured:,} bytes"
            raise CaptureFlaw.corrupt(self.frames + 1, self.window.byte, why)

    def _block(self, stride: int) -> Block:
        """The records that are whole in the window, or the first of them; `stride` is the next one's."""
        self.stride = self.stride or stride
        found = uniform(self.window, stride, self.order)
        self.even = found is not None
        found = found or leap(self.window, self.stride, self.order)
        if found is None:
            return self._scattered()
        self.window.position = found.end
        times = Times(
            lambda: found.steady(self.second), lambda: self._stamps(found.column(0), found.column(4))
        )
        ends = found.begin, found.last
        return self._made(found.total, ends, lambda which: self._frames(found.at(which)), found.frames, times)

    def _made(self, count: int, ends: tuple[int, int], look: Look, rows: Rows | None, times: Times) -> Block:
        """A block whose first and last record stand there."""
        first, last = ends
        return Block(self.frames + 1, count, (self._time(first), self._time(last)), look, rows, times)

    def _time(self, record: int) -> int:
        seconds, rest = struct.unpack_from(self.order + "II", self.window.memory, record)
        return int(seconds * 1_000_000_000 + rest * self.unit)

    def _scattered(self) -> Block:
        """The same where hardly any two records in a row have the same length."""
        found, self.window.position = lanes(self.window, self.order)
        records = np.concatenate((found, self._walk()))
        frames = self._frames(records)
        lengths, counts = np.unique(frames.captured[:: records.size // 256 + 1], return_counts=True)
        self.stride = RECORD + int(lengths[counts.argmax()])
        ends = int(records[0]), int(records[-1])
        words = overlapping(self.window.memory, self.order + "u4")
        times = Times(
            lambda: steady(words[records], words[records + 4], self.second),
            lambda: self._stamps(words[records], words[records + 4]),
        )
        return self._made(records.size, ends, frames.take, Rows.gather(frames), times)

    def _walk(self) -> Column:
        """Consume whole records up to the end of the window or an impossible one; where each starts."""
        window, found, length = self.window, Offsets(), struct.Struct(self.order + "I")
        data, position, end = window.data[: window.end], window.position, window.end
        alike, last = 0, -1
        while position + RECORD <= end:
            (captured,) = length.unpack_from(window.memory, position + 8)
            stride = RECORD + captured
            if captured > LONGEST_FRAME or position + stride > end:
                break
            alike, last = alike + 1 if captured == last else 0, captured
            count = repeats(data, position, stride, slice(8, 12)) if alike >= PATIENCE else 1
            found.add(position, stride, count)
            position += stride * count
        window.position = position
        return found.array()

    def _frames(self, records: Column) -> Frames:
        words = overlapping(self.window.memory, self.order + "u4")

        def column(offset: int) -> Column:
            return words[records + offset].astype(np.int64)

        return Frames(
            memory=self.window.memory,
            start=records + RECORD,
            captured=column(8),
            original=column(12),
            clock=lambda: self._stamps(words[records], words[records + 4]).time,
        )

    def _stamps(self, seconds: Values, fraction: Values) -> Stamps:
        time = seconds.astype(np.int64) * 1_000_000_000
        time += fraction.astype(np.int64) * self.unit
        return Stamps(time, timed=np.ones(time.size, np.bool_), wild=fraction >= self.second)
