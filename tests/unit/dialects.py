"""Frames and captures made from a dialect's own template."""

from __future__ import annotations

from collections.abc import Iterable

from captures import packets, pcap

from pytest_ixy.dialect import Dialect

FREE = 0xA5
"""What stands where a dialect allows anything."""


def frame_of(dialect: Dialect, sequence: int) -> bytes:
    """A frame as fwd should pass it on, with that number where the dialect has one."""
    frame = bytearray(FREE if byte is None else byte for byte in dialect.arriving)
    if number := dialect.number:
        value = (sequence % 256**number.width).to_bytes(number.width, number.order)
        frame[number.at : number.at + number.width] = value
    return bytes(frame)


def capture_of(dialect: Dialect, sequences: Iterable[int]) -> bytes:
    """A classic pcap file of such frames."""
    return pcap(packets(frame_of(dialect, sequence) for sequence in sequences))
