"""Where UDP stands in frames, as etherparse (ixy-ci's parser) would find it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import MARGIN, Frames
from pytest_ixy.dialect import UDP_AT, Dialect, Number
from pytest_ixy.rules.kernel.layout import BEYOND

Mask = NDArray[np.bool_]

IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
VERSION_4, VERSION_6 = 4, 6
VLAN = (0x8100, 0x88A8, 0x9100)
MOST_TAGS = 2
EXTENSIONS = (0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254)
"""Next headers of IPv6 that are not yet the transport's, as far as etherparse knows them."""
FRAGMENT = 44
MOST_EXTENSIONS = 12

UDP_HEADER = 8
IPV4_HEADER, IPV6_HEADER, TCP_HEADER = 20, 40, 20
"""Bytes; without options and extensions."""


@dataclass(frozen=True, eq=False)
class Dissection:
    """Columns, one row per frame.

    Attributes:
        udp: Frames that carry a UDP header.
        unreadable: Frames that end inside a header (up to UDP's or TCP's), or with a header that
            contradicts itself. Frames that the snap length cut inside a header are not counted: nobody
            can tell.
        foreign: Frames that are known not to be UDP: all headers up to UDP's or TCP's were captured and
            can be parsed. `kind` is their EtherType behind VLAN tags, `protocol` what IP carries behind
            extension headers, -1 where there is no IP.
        ip_at: Offset of the IP header from the frame's start, where `udp`.
        udp_at: The same of the UDP header.
        right_length: The dialect's UDP length, where `udp`.
        magic: Payload that starts as the dialect's does, where `udp`.
        shaped: Packets of the dialect: right length, magic, and all bytes of the UDP packet there.
        sequence: The sequence number of those that are `numbered`.
        numbered: Packets of the dialect that have a number of at most 32 bits.
        beyond: Packets of the dialect that have a larger number.
    """

    udp: Mask
    unreadable: Mask
    foreign: Mask
    kind: NDArray[np.uint16]
    protocol: NDArray[np.int64]
    ip_at: NDArray[np.int64]
    udp_at: NDArray[np.int64]
    right_length: Mask
    magic: Mask
    shaped: Mask
    sequence: NDArray[np.uint32]
    numbered: Mask
    beyond: Mask


def dissect(frames: Frames, dialect: Dialect) -> Dissection:
    """Find UDP behind Ethernet, up to two VLAN tags, and IPv4, or IPv6 with its extension headers."""
    internet = _internet(frames)
    whole, nonsense = _transport(frames, internet)
    udp = (internet.protocol == UDP) & whole & ~nonsense
    right_length = frames.values(">u2")[frames.start + internet.end + 4] == dialect.udp_length
    magic = _starts(frames, internet.end + UDP_HEADER, dialect.magic.encode())
    shaped = udp & right_length & magic & (frames.captured >= internet.end + dialect.udp_length)
    numbers, there = _numbers(frames, internet.end, dialect.number)
    return Dissection(
        udp=udp,
        unreadable=nonsense | (~whole & (frames.captured >= frames.original)),
        foreign=whole & ~nonsense & (internet.protocol != UDP),
        kind=internet.kind,
        protocol=internet.protocol,
        ip_at=internet.start,
        udp_at=internet.end,
        right_length=right_length,
        magic=magic,
        shaped=shaped,
        sequence=numbers.astype(np.uint32),
        numbered=shaped & there & (numbers < BEYOND),
        beyond=shaped & there & (numbers >= BEYOND),
    )


def _starts(frames: Frames, at: NDArray[np.int64], text: bytes) -> Mask:
    """Frames that hold that text there."""
    octets, found = frames.values("u1"), frames.captured >= at + len(text)
    for index, byte in enumerate(text):
        found &= octets[frames.start + at + index] == byte
    return found


def _numbers(frames: Frames, udp_at: NDArray[np.int64], number: Number | None) -> tuple[NDArray[Any], Mask]:
    """What stands where the number is, and in which frames that was captured."""
    if number is None:
        nothing = np.zeros(udp_at.size, dtype=np.uint32)
        return nothing, nothing != 0
    at = udp_at + (number.at - UDP_AT)
    return frames.values(number.dtype)[frames.start + at], frames.captured >= at + number.width


@dataclass(frozen=True, eq=False)
class _Internet:
    """What stands before the transport header: where it starts and ends, and the protocol behind it.

    `kind` is the EtherType of the header before it; the protocol is -1 where there is none of IP's.
    `whole` where all headers before it were captured, but for IPv4's options, which stand before `end`;
    `nonsense` where a header contradicts itself.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.uint16]
    protocol: NDArray[np.int64]
    whole: Mask
    nonsense: Mask


def _internet(frames: Frames) -> _Internet:
    octets, pairs, start = frames.values("u1"), frames.values(">u2"), frames.start
    network, kind = _network(pairs, start)
    four, six, at = kind == IPV4, kind == IPV6, start + network
    first = octets[at]
    size = np.where(four, (first & 15).astype(np.int64) * 4, np.where(six, IPV6_HEADER, 0))
    smallest = network + np.where(four, IPV4_HEADER, size)
    right = (first >> 4 == VERSION_4) & (size >= IPV4_HEADER) & (pairs[at + 2] >= size)
    wrong = np.where(four, ~right, six & (first >> 4 != VERSION_6))
    there = frames.captured >= smallest
    found = _Internet(
        start=network,
        end=network + size,
        kind=kind,
        protocol=np.where(four, octets[at + 9], np.where(six, octets[at + 6], np.int64(-1))),
        whole=there,
        nonsense=wrong & there,
    )
    extended = six & found.whole & ~found.nonsense & np.isin(found.protocol, EXTENSIONS)
    for row in np.flatnonzero(extended).tolist():
        _extensions(frames.frame(row), found, row)
    return found


def _transport(frames: Frames, internet: _Internet) -> tuple[Mask, Mask]:
    """Frames with all their headers, and frames with a header that contradicts itself."""
    octets, left = frames.values("u1"), frames.captured - internet.end
    udp, tcp = internet.protocol == UDP, internet.protocol == TCP
    size = np.where(udp, UDP_HEADER, 0)
    short = np.zeros(size.shape, np.bool_)
    if tcp.any():
        told = (octets[frames.start + internet.end + 12] >> 4).astype(np.int64) * 4
        size = np.where(tcp, np.maximum(told, TCP_HEADER), size)
        short = tcp & (told < TCP_HEADER)
    nonsense = internet.nonsense | (internet.whole & short & (left >= TCP_HEADER))
    return internet.whole & (left >= size), nonsense


def _extensions(frame: bytes, found: _Internet, row: int) -> None:
    """Follow the extension headers of one frame of IPv6; they are rare enough for a loop."""
    at, protocol, passed = int(found.end[row]), int(found.protocol[row]), 0
    while protocol in EXTENSIONS and passed < MOST_EXTENSIONS:
        size = 8 if protocol == FRAGMENT else (int.from_bytes(frame[at + 1 : at + 2]) + 1) * 8
        if at + size > len(frame):
            found.whole[row] = False
            return
        protocol, at, passed = frame[at], at + size, passed + 1
    found.end[row], found.protocol[row] = at, protocol
    found.nonsense[row] = protocol in EXTENSIONS


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


def dissect_one(data: bytes, dialect: Dialect) -> Dissection:
    """The same for a single frame, captured whole."""
    memory = mmap.mmap(-1, len(data) + MARGIN)
    memory[: len(data)] = data
    zero, size = np.zeros(1, np.int64), np.array([len(data)], np.int64)
    return dissect(Frames(memory, start=zero, captured=size, original=size, clock=lambda: zero), dialect)
