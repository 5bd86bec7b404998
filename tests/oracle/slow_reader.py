"""Reads captures the slow and obvious way, with nothing but `struct`: what the fast reader has to agree with.

Written from the formats' definitions (the libpcap file format; draft-ietf-opsawg-pcapng) and from what
pytest-ixy calls a flaw; not from the fast code.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fractions import Fraction

LONGEST_FRAME = 262_144
LARGEST_BLOCK = 1 << 20
ETHERNET = 1

CLASSIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
SECTION = b"\x0a\x0d\x0d\x0a"


@dataclass
class Frame:
    """One frame.

    Attributes:
        data: Its bytes.
        original: Its length on the wire.
        time: When it was captured in ns since 1970; None where the record cannot tell.
        out_of_range: True when the fraction of a second is a whole one or more.
    """

    data: bytes
    original: int
    time: int | None = None
    out_of_range: bool = False


@dataclass
class Reading:
    """All frames before the first flaw, and the kind of that flaw, if there is one."""

    frames: list[Frame] = field(default_factory=list)
    flaw: str | None = None


def read(data: bytes) -> Reading:
    if not data:
        return Reading(flaw="empty")
    if data[:4] in CLASSIC:
        return _classic(data)
    if data[:4] == SECTION:
        return _sections(data)
    beginning = any(magic.startswith(data) for magic in [*CLASSIC, SECTION])
    return Reading(flaw="header cut" if beginning else "not a capture")


def _classic(data: bytes) -> Reading:
    if len(data) < 24:
        return Reading(flaw="header cut")
    order, unit = CLASSIC[data[:4]]
    (link,) = struct.unpack_from(order + "I", data, 20)
    if link & 0xFFFF != ETHERNET:
        return Reading(flaw="other link type")
    reading, at = Reading(), 24
    while at < len(data):
        if len(data) - at < 16:
            reading.flaw = "cut"
            return reading
        captured, original = struct.unpack_from(order + "II", data, at + 8)
        if captured > LONGEST_FRAME:
            reading.flaw = "corrupt"
            return reading
        if len(data) - at - 16 < captured:
            reading.flaw = "cut"
            return reading
        seconds, part = struct.unpack_from(order + "II", data, at)
        time, odd = seconds * 10**9 + part * unit, part * unit >= 10**9
        reading.frames.append(Frame(data[at + 16 : at + 16 + captured], original, time, odd))
        at += 16 + captured
    return reading


class Flawed(Exception):  # noqa: N818
    """Ends the reading; the argument is the kind of flaw."""


def _sections(data: bytes) -> Reading:
    reading = Reading()
    if len(data) < 28:
        reading.flaw = "header cut"
        return reading
    try:
        _walk(data, reading)
    except Flawed as flaw:
        reading.flaw = str(flaw)
    return reading


def _walk(data: bytes, reading: Reading) -> None:
    order, sections, at = "<", 0, 0
    interfaces: list[Interface] = []
    while at < len(data):
        left = len(data) - at
        if left < 12:
            raise Flawed("cut")
        if data[at : at + 4] == SECTION:
            if left < 28:
                raise Flawed("cut")
            order, interfaces, sections = _order(data[at + 8 : at + 12]), [], sections + 1
        kind, total = struct.unpack_from(order + "II", data, at)
        _check_length(kind, total)
        if sections > 10_000:
            raise Flawed("corrupt")
        if kind == 1 and (total < 20 or len(interfaces) >= 65_536):
            raise Flawed("corrupt" if total <= left or total < 20 else "cut")
        if total > left:
            raise Flawed("cut")
        block = data[at : at + total]
        if kind == 1:
            interfaces.append(_interface(block, order))
        if kind in {2, 3, 6}:
            reading.frames.append(_packet(kind, block, order, interfaces))
        at += total


def _order(mark: bytes) -> str:
    if mark == b"\x4d\x3c\x2b\x1a":
        return "<"
    if mark == b"\x1a\x2b\x3c\x4d":
        return ">"
    raise Flawed("corrupt")


def _check_length(kind: int, total: int) -> None:
    smallest = 28 if kind == 0x0A0D0D0A else 12
    if total < smallest or total % 4:
        raise Flawed("corrupt")
    if kind in {1, 2, 3, 6} and total > LARGEST_BLOCK:
        raise Flawed("corrupt")


@dataclass
class Interface:
    """Link type, snap length, and the ns of a tick as a fraction; `offset` ns are added."""

    link: int
    snap: int
    tick: Fraction = Fraction(1_000)
    offset: int = 0

    def time(self, ticks: int) -> int:
        """A signed number of 64 bits, as which it wraps."""
        return (int(ticks * self.tick) + self.offset + 2**63) % 2**64 - 2**63


def _interface(block: bytes, order: str) -> Interface:
    found = Interface(*struct.unpack_from(order + "H2xI", block, 8))
    options, at = block[16:-4], 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, at)
        value = options[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == 9 and length == 1:
            base, power = (2, value[0] & 127) if value[0] & 128 else (10, value[0])
            found.tick = Fraction(10**9, base**power)
        if code == 14 and length == 8:
            found.offset = struct.unpack(order + "q", value)[0] * 10**9
        at += 4 + (length + 3) // 4 * 4
    return found


def _packet(kind: int, block: bytes, order: str, interfaces: list[Interface]) -> Frame:
    """The frame of an obsolete (2), a simple (3) or an enhanced (6) packet block."""
    body, (again,) = block[8:-4], struct.unpack(order + "I", block[-4:])
    needed = 4 if kind == 3 else 20
    if again != len(block) or len(body) < needed:
        raise Flawed("corrupt")
    which, ticks = 0, None
    if kind == 3:
        (original,) = struct.unpack_from(order + "I", body)
        limit = (interfaces[0].snap if interfaces else 0) or LONGEST_FRAME
        captured = min(original, limit)
    else:
        (which,) = struct.unpack_from(order + ("H" if kind == 2 else "I"), body)
        high, low, captured, original = struct.unpack_from(order + "IIII", body, 4)
        ticks = high << 32 | low
    if captured > min(len(body) - needed, LONGEST_FRAME) or which >= len(interfaces):
        raise Flawed("corrupt")
    if interfaces[which].link != ETHERNET:
        raise Flawed("other link type")
    time = None if ticks is None else interfaces[which].time(ticks)
    return Frame(body[needed : needed + captured], original, time)
