"""Classic pcap: a header of 24 bytes, then records of 16 bytes and a frame each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np

from pytest_ixy.capture.block import PATIENCE, Block, Column, Offsets, overlapping, repeats
from pytest_ixy.capture.flaw import ETHERNET, LONGEST_FRAME, CaptureFlaw
from pytest_ixy.capture.window import Window

Order = Literal["<", ">"]

FORMATS: dict[bytes, tuple[Order, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""First four bytes -> byte order and nanoseconds per unit of the second half of a time."""

HEADER, RECORD = 24, 16


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
    frames = 0
    while True:
        records = _walk(window, order)
        if records.size:
            yield _block(window, records, order, unit, frames + 1)
        frames += records.size
        _refuse_impossible(window, order, frames + 1)
        if not window.refill():
            break
    if window.left:
        raise CaptureFlaw.cut(frames + 1, window.byte, window.left)


def _walk(window: Window, order: Order) -> Column:
    """Consume whole records up to the end of the window or an impossible one; where each starts."""
    found, length = Offsets(), struct.Struct(order + "I")
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


def _refuse_impossible(window: Window, order: Order, frame: int) -> None:
    if window.left < RECORD:
        return
    (captured,) = struct.unpack_from(order + "I", window.memory, window.position + 8)
    if captured > LONGEST_FRAME:
        raise CaptureFlaw.corrupt(frame, window.byte, f"it claims to hold {captured:,} bytes")


def _block(window: Window, records: Column, order: Order, unit: int, first: int) -> Block:
    words = overlapping(window.memory, order + "u4")

    def column(offset: int) -> Column:
        return words[records + offset].astype(np.int64)

    return Block(
        memory=window.memory,
        first=first,
        start=records + RECORD,
        captured=column(8),
        original=column(12),
        time=column(0) * 1_000_000_000 + column(4) * unit,
    )
