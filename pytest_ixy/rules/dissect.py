"""Where UDP stands in the frames of a block, as etherparse (ixy-ci's parser) would find it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import MARGIN, Block

Mask = NDArray[np.bool_]

IPV4, IPV6, UDP = 0x0800, 0x86DD, 17
VERSION_4, VERSION_6 = 4, 6
VLAN = (0x8100, 0x88A8, 0x9100)
MOST_TAGS = 2

UDP_HEADER, UDP_LENGTH = 8, 26
IPV4_HEADER, IPV6_HEADER = 20, 40
"""Bytes; IPv4's without options."""

SEQUENCE_AT = 22
"""Offset of the sequence number from the start of the UDP header: the last 4 bytes of UDP length 26."""

MAGIC = b"ixy"


@dataclass(frozen=True, eq=False)
class Dissection:
    """Columns of a block, one row per frame.

    Attributes:
        udp: Frames that carry a UDP header.
        unreadable: Frames that end inside a header, or whose IP header contradicts itself. Frames
            that the snap length cut there are not counted: nobody can tell.
        udp_at: Offset of the UDP header from the frame's start, where `udp`.
        right_length: UDP length 26, where `udp`.
        magic: Payload that starts with `ixy`, where `udp`.
        sequence: The number in the last 4 bytes of UDP length 26, little-endian.
        numbered: Rows whose `sequence` means something: right length, magic, and all bytes there.
    """

    udp: Mask
    unreadable: Mask
    udp_at: NDArray[np.int64]
    right_length: Mask
    magic: Mask
    sequence: NDArray[np.uint32]
    numbered: Mask


def dissect(block: Block) -> Dissection:
    """Find UDP behind Ethernet, up to two VLAN tags, and IPv4 or IPv6 without extension headers."""
    octets, pairs, start = block.values("u1"), block.values(">u2"), block.start
    network, kind = _network(pairs, start)
    four, six = kind == IPV4, kind == IPV6
    first = octets[start + network]
    length = np.where(four, (first & 15).astype(np.int64) * 4, IPV6_HEADER)
    protocol = np.where(four, octets[start + network + 9], octets[start + network + 6])
    version = first >> 4
    sane = np.where(four, (version == VERSION_4) & (length >= IPV4_HEADER), ~six | (version == VERSION_6))
    is_udp = (four | six) & (protocol == UDP)
    udp_at = network + np.where(four | six, length, 0)
    whole = block.captured >= udp_at + np.where(is_udp, UDP_HEADER, 0)
    udp = is_udp & sane & whole
    at = start + udp_at
    right_length = pairs[at + 4] == UDP_LENGTH
    magic = (pairs[at + 8] == int.from_bytes(MAGIC[:2], "big")) & (octets[at + 10] == MAGIC[2])
    magic &= block.captured >= udp_at + UDP_HEADER + len(MAGIC)
    return Dissection(
        udp=udp,
        unreadable=~(sane & whole) & (block.captured >= block.original),
        udp_at=udp_at,
        right_length=right_length,
        magic=magic,
        sequence=block.values("<u4")[at + SEQUENCE_AT],
        numbered=udp & right_length & magic & (block.captured >= udp_at + UDP_LENGTH),
    )


def _network(pairs: NDArray[Any], start: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Offset of the network header in each frame, and the type of what stands there."""
    network = np.full(start.size, 14, dtype=np.int64)
    kind = pairs[start + 12]
    for _ in range(MOST_TAGS):
        tagged = np.isin(kind, VLAN)
        if not tagged.any():
            break
        network += 4 * tagged
        kind = pairs[start + network - 2]
    return network, kind


def dissect_one(data: bytes) -> Dissection:
    """The same for a single frame, captured whole."""
    memory = mmap.mmap(-1, len(data) + MARGIN)
    memory[: len(data)] = data
    zero, size = np.zeros(1, np.int64), np.array([len(data)], np.int64)
    return dissect(Block(memory, first=1, start=zero, captured=size, original=size, time=zero))
