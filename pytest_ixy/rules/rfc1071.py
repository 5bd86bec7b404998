"""The checksums of one packet, for showing: what they are and what they should be (RFC 1071, RFC 768)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Packet

ONES = 0xFFFF
UDP = 17
VERSION_4 = 4


@dataclass(frozen=True)
class Checksum:
    """A checksum in a frame.

    Attributes:
        name: Whose it is, `IP` or `UDP`.
        at: Its offset in the frame.
        found: What stands there.
        covered: All bytes that it is made of, with zeros in its own place.
        pseudo: How many of those come first and are not in UDP's packet: its pseudo header.
    """

    name: str
    at: int
    found: int
    covered: bytes
    pseudo: int = 0

    @property
    def right(self) -> int:
        """What should stand there."""
        right = complement(self.covered)
        return right or (ONES if self.name == "UDP" else 0)

    @property
    def wrong(self) -> bool:
        """Whether the receiver would drop the packet."""
        return folded(self.covered + struct.pack(">H", self.found)) != ONES


def folded(data: bytes) -> int:
    """The sum of the 16-bit words in ones' complement; a last single byte is an upper half."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total > ONES:
        total = (total & ONES) + (total >> 16)
    return total


def complement(data: bytes) -> int:
    """The checksum of bytes that have zeros in its place."""
    return ONES - folded(data)


def swapped(value: int) -> int:
    """The two bytes the other way round."""
    return (value & 0xFF) << 8 | value >> 8


def checksums(packet: Packet) -> Iterator[Checksum]:
    """The checksums that a UDP packet has and that can be judged: over IPv6 there is only UDP's."""
    from pytest_ixy.rules.kernel.dissect import dissect_one

    found, data = dissect_one(packet.data, packet.dialect), packet.data
    if not found.udp[0]:
        return
    ip_at, udp_at = int(found.ip_at[0]), int(found.udp_at[0])
    four = data[ip_at] >> 4 == VERSION_4
    if four:
        yield _checksum("IP", data[ip_at:udp_at], ip_at, 10)
    addresses = data[ip_at + 12 : ip_at + 20] if four else data[ip_at + 8 : ip_at + 40]
    yield from _of_udp(data, udp_at, addresses)


def _of_udp(data: bytes, at: int, addresses: bytes) -> Iterator[Checksum]:
    length, found = struct.unpack_from(">HH", data, at + 4)
    if found and 8 <= length <= len(data) - at:  # noqa: PLR2004 (UDP's header)
        pseudo = addresses + struct.pack(">HH", UDP, length)
        yield _checksum("UDP", data[at : at + length], at, 6, pseudo)


def _checksum(name: str, covered: bytes, start: int, at: int, pseudo: bytes = b"") -> Checksum:
    (found,) = struct.unpack_from(">H", covered, at)
    without = covered[:at] + bytes(2) + covered[at + 2 :]
    return Checksum(name, start + at, found, pseudo + without, len(pseudo))
