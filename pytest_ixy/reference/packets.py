"""Numbered packets of a dialect as a capture, for a program that sends what stands in one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pytest_ixy.dialect import shipped

if TYPE_CHECKING:
    from pytest_ixy.dialect import Dialect

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
USUAL = "c"
"""Has a value for what a dialect leaves open."""


def capture(dialect: Dialect, count: int) -> bytes:
    """A classic pcap file of packets as pktgen would send them, numbered from the dialect's first."""
    import numpy as np

    frame = _frame(dialect)
    record = struct.pack("<IIII", 1_600_000_000, 0, len(frame), len(frame)) + frame
    rows = np.tile(np.frombuffer(record, dtype=np.uint8), (count, 1))
    if (number := dialect.number) is not None:
        values = (np.arange(count, dtype=np.uint64) + np.uint64(number.first)).astype(number.dtype)
        place = 16 + number.at
        rows[:, place : place + number.width] = values.view(np.uint8).reshape(count, number.width)
    return HEADER + rows.tobytes()


def _frame(dialect: Dialect) -> bytes:
    """The template, filled where any byte will do."""
    usual = [byte or 0 for byte in shipped(USUAL).sent]
    filled = [*usual, *([0] * dialect.size)]
    return bytes(filled[place] if byte is None else byte for place, byte in enumerate(dialect.sent))
