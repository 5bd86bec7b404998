"""pcapng: sections of blocks, each with its type, its length, a body and its length again."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture.block import PATIENCE, Block, Column, Frames, Offsets, overlapping, repeats
from pytest_ixy.capture.even import ENHANCED, Even, even
from pytest_ixy.capture.flaw import ETHERNET, LONGEST_FRAME, CaptureFlaw
from pytest_ixy.capture.interface import MOST_INTERFACES, Interface, nanoseconds
from pytest_ixy.capture.rows import Rows
from pytest_ixy.capture.times import Stamps, Times, rising
from pytest_ixy.capture.window import SIZE, Window

MAGIC = b"\x0a\x0d\x0d\x0a"

SECTION = 0x0A0D0D0A
"""Reads the same in both byte orders, on purpose."""

INTERFACE, OBSOLETE, SIMPLE = 1, 2, 3
PACKETS = frozenset({OBSOLETE, SIMPLE, ENHANCED})

MOST_SECTIONS = 10_000
"""Each costs a batch of its own; a file with more was made to keep readers busy."""

SMALLEST, SMALLEST_INTERFACE, SECTION_HEAD = 12, 20, 28
ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


def read(window: Window) -> Iterator[Block]:
    """The records of the capture that the window stands at the start of; see `capture.blocks`."""
    if window.left < SECTION_HEAD:
        raise CaptureFlaw.header(window.left, SECTION_HEAD)
    yield from _Reader(window).blocks()


class _Reader:
    """Keeps what the blocks of packets depend on: byte order and interfaces of their section.

    `described` has the places in the window where those interfaces stand that this walk came by: packets
    before such a place cannot mean it. `share` is how much of the window is worth filling.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.order = "<"
        self.interfaces: list[Interface] = []
        self.described: list[int] = []
        self.frames = 0
        self.sections = 0
        self.share = 1

    def blocks(self) -> Iterator[Block]:
        while True:
            found, flaw = Offsets(), None
            try:
                if together := self._walk(found):
                    self.share = 2
                    yield (block := together.block(self.frames + 1, self.window))
                    self.frames += block.count
                    continue
            except CaptureFlaw as late:  # what stands before it comes first
                flaw = late
            if found.count:
                self.share = 1
                block, first_flaw = self._columns(found.array())
                flaw = first_flaw or flaw
                if block.count:
                    yield block
                self.frames += block.count
            if flaw is not None:
                raise flaw
            if not (found.count and self._at_section()) and not self.window.refill(self.share):
                break
        if self.window.left:
            raise self._cut(0)

    def _walk(self, found: Offsets) -> Even | None:
        """Consume whole blocks up to the window's end, or to a section that follows packets.

        Where only packets of one size are left of the window, they are returned together, and not found.
        """
        window = self.window
        self.described = []
        while window.left >= SMALLEST:
            kind, total = struct.unpack_from(self.order + "II", window.memory, window.position)
            if kind == SECTION:
                if found.count or window.left < SECTION_HEAD:
                    return None
                self._open_section(found)
                continue
            if total < SMALLEST or total % 4 or (total > SIZE and kind in {*PACKETS, INTERFACE}):
                raise self._corrupt(found.count, f"a block of type {kind:#x} claims {total:,} bytes")
            if total > window.left and kind in {*PACKETS, INTERFACE}:
                return None
            if not found.count and (together := even(window, self.order, self.interfaces)):
                window.position += together.rows.size
                return together
            if kind in PACKETS:
                self._collect(found)
            else:
                self._step_over(kind, total, found)
        return None

    def _collect(self, found: Offsets) -> None:
        """Take the run of packet blocks of the kind and length that come next."""
        window = self.window
        memory, data, position = window.memory, window.data[: window.end], window.position
        head = struct.Struct(self.order + "II")
        first = head.unpack_from(memory, position)
        total = first[1]
        alike = 0
        while position + total <= window.end and head.unpack_from(memory, position) == first:
            alike += 1
            count = repeats(data, position, total, slice(0, 8)) if alike > PATIENCE else 1
            found.add(position, total, count)
            position += total * count
        window.position = position

    def _step_over(self, kind: int, total: int, found: Offsets) -> None:
        window = self.window
        if kind == INTERFACE:
            if total < SMALLEST_INTERFACE or len(self.interfaces) >= MOST_INTERFACES:
                raise self._corrupt(found.count, "it describes an impossible interface")
            body = window.memory[window.position : window.position + total]
            self.interfaces.append(Interface.parse(body, self.order))
            self.described.append(window.position)
        if not window.skip(total):
            raise self._cut(found.count)

    def _at_section(self) -> bool:
        window = self.window
        ready = window.left >= SECTION_HEAD
        return ready and window.memory[window.position : window.position + 4] == MAGIC

    def _open_section(self, found: Offsets) -> None:
        window = self.window
        mark = window.memory[window.position + 8 : window.position + 12]
        order = ORDERS.get(mark)
        if order is None:
            raise self._corrupt(found.count, f"a section without a byte order ({mark.hex(' ')})")
        (total,) = struct.unpack_from(order + "I", window.memory, window.position + 4)
        if total < SECTION_HEAD or total % 4:
            raise self._corrupt(found.count, f"a section header claims {total:,} bytes")
        self.sections += 1
        if self.sections > MOST_SECTIONS:
            raise self._corrupt(found.count, f"more than {MOST_SECTIONS:,} sections")
        self.order, self.interfaces, self.described = order, [], []
        if not window.skip(total):
            raise self._cut(found.count)

    def _columns(self, records: Column) -> tuple[Block, CaptureFlaw | None]:
        """The records up to the first impossible one, and what is wrong with that."""
        raw = _Raw.gather(self.window.memory, self.order, records, self._snap_length())
        before = len(self.interfaces) - len(self.described)
        sound = raw.sound & (raw.interface < before + np.searchsorted(self.described, records))
        good = sound.copy()
        good[sound] = self._links()[raw.interface[sound]] == ETHERNET
        bad = None if good.all() else int(good.argmin())
        keep = slice(0, bad)
        time = nanoseconds(raw.ticks[keep], raw.interface[keep], self.interfaces)
        frames = Frames(
            memory=self.window.memory,
            start=raw.start[keep],
            captured=raw.captured[keep],
            original=raw.original[keep],
            clock=lambda: time,
        )
        ends = (int(time[0]), int(time[-1])) if time.size else (0, 0)
        times = _times(time, raw.timed[keep])
        block = Block(self.frames + 1, time.size, ends, frames.take, Rows.gather(frames), times)
        return block, None if bad is None else self._refuse(raw, sound, bad, int(records[bad]))

    def _links(self) -> Column:
        return np.array([interface.link for interface in self.interfaces], dtype=np.int64)

    def _snap_length(self) -> int:
        """That of the first interface, which simple packet blocks imply; 0 means no limit."""
        limit = self.interfaces[0].snap_length if self.interfaces else 0
        return limit or LONGEST_FRAME

    def _refuse(self, raw: _Raw, sound: NDArray[np.bool_], bad: int, position: int) -> CaptureFlaw:
        frame, byte = self.frames + bad + 1, self.window.origin + position
        interface = int(raw.interface[bad])
        if sound[bad]:
            return CaptureFlaw.link_type(self.interfaces[interface].link, frame, byte)
        if raw.sound[bad]:
            return CaptureFlaw.corrupt(frame, byte, f"interface {interface} was never described")
        why = f"its lengths contradict each other ({int(raw.captured[bad]):,} bytes captured)"
        return CaptureFlaw.corrupt(frame, byte, why)

    def _corrupt(self, found: int, why: str) -> CaptureFlaw:
        return CaptureFlaw.corrupt(self.frames + found + 1, self.window.byte, why)

    def _cut(self, found: int) -> CaptureFlaw:
        return CaptureFlaw.cut(self.frames + found + 1, self.window.byte, self.window.left)


def _times(time: Column, timed: NDArray[np.bool_]) -> Times:
    """In this format a fraction of a second is never out of range."""
    return Times(
        lambda: not np.count_nonzero(~timed) and rising(time),
        lambda: Stamps(time, timed, wild=np.zeros(time.size, np.bool_)),
    )


@dataclass(frozen=True, eq=False)
class _Raw:
    """Fields of packet blocks, whichever of the three kinds; `sound` where the lengths agree."""

    interface: Column
    ticks: NDArray[np.uint64]
    captured: Column
    original: Column
    start: Column
    timed: NDArray[np.bool_]
    sound: NDArray[np.bool_]

    @classmethod
    def gather(cls, memory: mmap.mmap, order: str, records: Column, snap_length: int) -> _Raw:
        words, halves = overlapping(memory, order + "u4"), overlapping(memory, order + "u2")

        def column(offset: int | Column) -> Column:
            return np.asarray(words[records + offset], dtype=np.int64)

        kind, total = column(0), column(4)
        simple = kind == SIMPLE
        interface = np.where(kind == OBSOLETE, halves[records + 8], column(8))
        original = np.where(simple, column(8), column(24))
        captured = np.where(simple, np.minimum(original, snap_length), column(20))
        ticks = (column(12).astype(np.uint64) << np.uint64(32)) | column(16).astype(np.uint64)
        room = total - np.where(simple, 16, 32)
        return cls(
            interface=np.where(simple, 0, interface),
            ticks=np.where(simple, np.uint64(0), ticks),
            captured=captured,
            original=original,
            start=records + np.where(simple, 12, 28),
            timed=~simple,
            sound=(captured <= np.minimum(room, LONGEST_FRAME)) & (column(total - 4) == total),
        )
