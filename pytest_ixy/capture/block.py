"""A batch of records as columns, and how the places of records are collected."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pytest_ixy.capture.rows import Rows
    from pytest_ixy.capture.times import Times

Column = NDArray[np.int64]

MARGIN = 2048
"""Bytes that can be read behind any frame's start, whatever its length: headers need no bounds test."""

PATIENCE = 8
"""Equal records in a row after which it pays to look for a long run of them at once."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames as columns, one row each.

    Attributes:
        memory: The buffer; valid until the next block is asked for.
        start: Offset of each frame's first byte in the buffer. At least `MARGIN` bytes from there
            on can be read; those from `captured` on are not the frame's.
        captured: Bytes of the frame that stand in the buffer.
        original: Bytes that the frame had on the wire.
        clock: Makes `time`, which hardly anybody asks for.
    """

    memory: mmap.mmap
    start: Column
    captured: Column
    original: Column
    clock: Callable[[], Column]

    @cached_property
    def time(self) -> Column:
        """Nanoseconds since 1970 (0 where the format has no time)."""
        return self.clock()

    def values(self, dtype: str) -> NDArray[Any]:
        """The buffer as values of that type, one beginning at every byte: index it with offsets."""
        return overlapping(self.memory, dtype)

    def frame(self, row: int) -> bytes:
        """The captured bytes of one frame, copied."""
        start = int(self.start[row])
        return bytes(self.memory[start : start + int(self.captured[row])])

    def take(self, which: Column | NDArray[np.bool_] | slice) -> Frames:
        """Those frames only."""
        return Frames(
            memory=self.memory,
            start=self.start[which],
            captured=self.captured[which],
            original=self.original[which],
            clock=lambda: self.time[which],
        )


Look = Callable[["Column | slice"], Frames]


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive records of a capture.

    Attributes:
        first: 1-based number of the first frame.
        count: How many frames.
        ends: When the first and the last frame were captured, in ns since 1970.
        look: Makes the columns of some frames, given their rows (counted from 0) or a slice. Most
            frames are known to be good by `rows`, and nobody needs their columns.
        rows: The frames of at least 60 bytes, or most of them, side by side; None when there are few.
        times: What is asked about the times of all of them.
    """

    first: int
    count: int
    ends: tuple[int, int]
    look: Look
    rows: Rows | None
    times: Times

    @cached_property
    def frames(self) -> Frames:
        """The columns of all frames."""
        return self.look(slice(None))

    def frame(self, row: int) -> bytes:
        """The captured bytes of one frame, copied."""
        return self.look(np.array([row])).frame(0)


def overlapping(memory: mmap.mmap, dtype: str) -> NDArray[Any]:
    """A view without a copy in which item i is the value that begins at byte i."""
    return np.ndarray(len(memory) - np.dtype(dtype).itemsize + 1, dtype, memory, strides=(1,))


class Offsets:
    """Collects where records start: single ones, and long runs of equal ones at the price of one."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[Column] = []
        self._singles: list[int] = []

    def add(self, position: int, stride: int, count: int) -> None:
        """Append `count` records of `stride` bytes, the first of them at `position`."""
        self.count += count
        if count == 1:
            self._singles.append(position)
            return
        self._flush()
        self._parts.append(position + stride * np.arange(count, dtype=np.int64))

    def array(self) -> Column:
        """All of them in the order in which they were added."""
        self._flush()
        return np.concatenate(self._parts) if self._parts else np.empty(0, np.int64)

    def _flush(self) -> None:
        if self._singles:
            self._parts.append(np.array(self._singles, dtype=np.int64))
            self._singles = []


def repeats(data: NDArray[np.uint8], start: int, stride: int, key: slice) -> int:
    """How many whole records of `stride` bytes from `start` on carry the first one's key bytes.

    The look-ahead grows with success, so that a short run costs little and a long one is compared
    in a few calls. `key` must span 4 or 8 bytes.
    """
    possible = (data.size - start) // stride
    rows = data[start : start + possible * stride].reshape(possible, stride)[:, key]
    keys = rows.view(f"u{rows.shape[1]}")[:, 0]
    known, ahead = 1, 32
    while known < possible:
        same = keys[known : known + ahead] == keys[0]
        if not same.all():
            return known + int(same.argmin())
        known += same.size
        ahead *= 4
    return possible
