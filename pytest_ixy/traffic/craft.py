"""Ethernet frames of many kinds, each with a sender of its own, so that no two are the same."""

from __future__ import annotations

import struct

SHORTEST, LONGEST = 60, 1514
"""Bytes of an Ethernet frame without its frame check sequence."""
TAG = 4

UNICAST = bytes.fromhex("021122334455")
BROADCAST = b"\xff" * 6
SENDER = bytes.fromhex("1269")
"""Local and no group: bridges drop what comes from a group. The frame's number makes up the rest."""

IPV4, IPV6, ARP, RARP, VLAN, QINQ, LLDP, EXPERIMENT = (
    0x0800,
    0x86DD,
    0x0806,
    0x8035,
    0x8100,
    0x88A8,
    0x88CC,
    0x88B5,
)


def sender(number: int) -> bytes:
    """The source address of the frame with that number."""
    return SENDER + struct.pack(">I", number)


def frame(number: int, kind: int, body: bytes, *, to: bytes = UNICAST, tags: bytes = b"") -> bytes:
    """A frame of that EtherType (or, below 0x600, length), padded with zeros to the shortest there is."""
    made = to + sender(number) + tags + struct.pack(">H", kind) + body
    return made.ljust(SHORTEST, b"\0")


def tag(vlan: int, kind: int = VLAN) -> bytes:
    """A VLAN tag."""
    return struct.pack(">HH", kind, vlan)


def pattern(size: int, seed: int) -> bytes:
    """Bytes of which each differs from its neighbours, and that shift from frame to frame."""
    return bytes((seed + 7 * at) % 256 for at in range(size))


def ipv4(number: int, size: int, fill: bytes | None = None, **more: bytes) -> bytes:
    """UDP over IPv4 in a frame of `size` bytes, tags among them."""
    room = size - 14 - len(more.get("tags", b"")) - 28
    payload = pattern(room, number) if fill is None else fill * room
    udp = struct.pack(">HHHH", 42, 1337, 8 + room, 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + room, number & 0xFFFF, 0, 64, 17, 0)
    addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    total = _checksum(head + addresses)
    body = head[:10] + struct.pack(">H", total) + addresses + udp
    return frame(number, IPV4, body, **more)


def ipv6(number: int, size: int, **more: bytes) -> bytes:
    """UDP over IPv6 in a frame of `size` bytes, its checksum right."""
    room = size - 14 - 40 - 8
    payload, length = pattern(room, number), 8 + room
    addresses = bytes.fromhex("fd00" + "00" * 13 + "01" + "fd00" + "00" * 13 + "02")
    ports = struct.pack(">HHH", 42, 1337, length)
    total = _checksum(addresses + struct.pack(">II", length, 17) + ports + payload) or 0xFFFF
    head = struct.pack(">IHBB", 0x60000000, length, 17, 64) + addresses
    return frame(number, IPV6, head + ports + struct.pack(">H", total) + payload, **more)


def _checksum(data: bytes) -> int:
    """The Internet checksum."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
