"""Builds frames and captures byte by byte, so that tests need no library to make what they read."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEAD = bytes.fromhex(
    "010203040506 101010101010 08004500002e 00000000 401166bd 0a000001 0a000002002a 0539 001a 0000"
)


def ixy_frame(sequence: int, *, magic: bytes = b"ixy", udp_length: int = 26, size: int = 60) -> bytes:
    """A packet as ixy's pktgen makes it; `size` pads it with 0xee or cuts it."""
    head = HEAD[:38] + struct.pack(">H", udp_length) + HEAD[40:]
    frame = head + magic + bytes(14 - len(magic)) + struct.pack("<I", sequence)
    return frame[:size].ljust(size, b"\xee")


def arp_frame() -> bytes:
    """A frame that is not UDP."""
    return bytes.fromhex("ffffffffffff 101010101010 0806 0001080006040001").ljust(60, b"\0")


@dataclass(frozen=True)
class Packet:
    """A frame with its time in ns and, when it was cut, its length on the wire."""

    data: bytes
    time: int = 0
    original: int | None = None

    @property
    def wire(self) -> int:
        return len(self.data) if self.original is None else self.original


def packets(
    frames: Iterable[bytes], *, start: int = 1_700_000_000_000_000_000, step: int = 1000
) -> list[Packet]:
    return [Packet(frame, start + index * step) for index, frame in enumerate(frames)]


def pcap(
    records: Sequence[Packet], *, order: str = "<", nano: bool = False, link: int = 1, snap: int = 65535
) -> bytes:
    """A classic pcap file."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for record in records:
        seconds, rest = divmod(record.time, 10**9)
        out += (
            struct.pack(order + "IIII", seconds, rest // unit, len(record.data), record.wire),
            record.data,
        )
    return b"".join(out)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body = _pad(body)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + _pad(value)


def section(order: str = "<", options: bytes = b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options, order)


def interface(*, order: str = "<", link: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(record: Packet, *, ticks: int | None = None, which: int = 0, order: str = "<") -> bytes:
    ticks = record.time // 1000 if ticks is None else ticks
    head = struct.pack(order + "IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(record.data), record.wire)
    return block(6, head + record.data, order)


def simple(record: Packet, *, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", record.wire) + record.data, order)


def obsolete(record: Packet, *, which: int = 0, order: str = "<") -> bytes:
    ticks = record.time // 1000
    head = struct.pack(
        order + "HHIIII", which, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(record.data), record.wire
    )
    return block(2, head + record.data, order)


def pcapng(records: Sequence[Packet], *, order: str = "<") -> bytes:
    """A plain pcapng file: one section, one interface, enhanced packet blocks."""
    return section(order) + interface(order=order) + b"".join(enhanced(one, order=order) for one in records)
