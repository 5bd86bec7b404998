"""Which UDP packets have a wrong checksum, IP's or UDP's.

A checksum is right when the 16-bit words that it covers, itself among them, have 65,535 as their sum in
ones' complement (RFC 1071): when the plain sum, which is never 0 here, can be divided by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Bytes, Column, Frames, Rows
from pytest_ixy.dialect import UDP_AT
from pytest_ixy.rules.kernel.dissect import UDP, UDP_HEADER, VERSION_4, Mask
from pytest_ixy.rules.kernel.offenders import Offenders, Part, Sieve
from pytest_ixy.rules.kernel.sight import Sight

ONES = 0xFFFF
IP, ADDRESSES, CHECKSUM = slice(14, UDP_AT), slice(26, UDP_AT), slice(UDP_AT + 6, UDP_AT + 8)
"""Of frames with neither VLAN tags nor options: IP's header, the addresses in it, UDP's checksum."""
AT_ONCE = 1 << 18
"""Bytes that are summed up at a time, where each frame's stand elsewhere."""
PIECE = 32
FIRST = np.tri(PIECE + 1, PIECE, -1, dtype=np.uint8)
"""Row i has i ones, then zeros."""


@dataclass(frozen=True)
class Checksums:
    """How many UDP packets have a wrong checksum of IP and of UDP, and those that have any."""

    ip: int
    udp: int
    wrong: Offenders


class Sums:
    """Watches the checksums of UDP packets."""

    def __init__(self) -> None:
        self._ip = self._udp = 0
        self._wrong = Sieve()
        self._right = b""

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        self._wrong.add_parts([*self._plain(sight), *self._close(sight)])

    def checksums(self) -> Checksums:
        """What was seen."""
        return Checksums(self._ip, self._udp, self._wrong.offenders())

    def _plain(self, sight: Sight) -> list[Part]:
        """The plain packets, if any of them is wrong."""
        if sight.plain is None or self._known(sight.plain.rows):
            return []
        rows, first = sight.plain.alone, sight.block.first
        if sight.plain.odd is not None and self._known(rows):
            return []
        ip, udp = _ip_of(rows), _udp_of(rows, sight.layout.dialect.udp_length)
        if not ip[0]:
            self._right = rows.data[0, IP].tobytes()
        return self._part(ip, udp, lambda few: rows.which[few] + first)

    def _known(self, rows: Rows) -> bool:
        """Whether all have the header that is known to be right, and no checksum of UDP."""
        if np.count_nonzero(rows.varying[IP]) or rows.data[0, IP].tobytes() != self._right:
            return False
        return not np.count_nonzero(rows.varying[CHECKSUM] | rows.data[0, CHECKSUM])

    def _close(self, sight: Sight) -> list[Part]:
        """The same of the UDP packets among the frames that need a closer look."""
        which = np.flatnonzero(sight.found.udp) if sight.numbers.size else sight.numbers
        if not which.size:
            return []
        frames, numbers = sight.close.take(which), sight.numbers[which]
        ip_at, udp_at = sight.found.ip_at[which], sight.found.udp_at[which]
        four = frames.values("u1")[frames.start + ip_at] >> 4 == VERSION_4
        ip, udp = _ip_in(frames, ip_at, udp_at, four), _udp_in(frames, ip_at, udp_at, four)
        return self._part(ip, udp, numbers.__getitem__)

    def _part(self, ip: Mask, udp: Mask, numbers: Callable[[Column], Column]) -> list[Part]:
        self._ip += int(np.count_nonzero(ip))
        self._udp += int(np.count_nonzero(udp))
        wrong = ip | udp
        return [Part(wrong, numbers)] if np.count_nonzero(wrong) else []


def _ip_of(rows: Rows) -> Mask:
    """The rows in which IP's checksum is wrong."""
    return _each(_sum(rows, IP) % ONES != 0, rows)


def _udp_of(rows: Rows, length: int) -> Mask:
    """The rows in which UDP's checksum is wrong, all UDP packets being of that length and captured whole."""
    high, low = (_same(rows, place) for place in range(CHECKSUM.start, CHECKSUM.stop))
    there = (high | low) != 0
    if length < UDP_HEADER or not np.count_nonzero(there):
        return np.zeros(len(rows.data), np.bool_)
    packet = _sum(rows, slice(UDP_AT, UDP_AT + length))
    found = packet + _sum(rows, ADDRESSES) + np.uint32(UDP + length)
    return _each((found % ONES != 0) & there, rows)


def _sum(rows: Rows, places: slice) -> NDArray[np.uint32]:
    """The sum of the words at those places; a single one for all rows where nothing varies in them."""
    varying = rows.varying[places] != 0
    steady = (rows.data[0, places] * ~varying).tobytes()
    found = np.array([sum(steady[::2]) * 256 + sum(steady[1::2])], dtype=np.uint32)
    for index in np.flatnonzero(varying).tolist():
        weight = np.uint32(1 if index % 2 else 256)
        found = found + rows.data[:, places.start + index] * weight
    return found


def _same(rows: Rows, place: int) -> Bytes:
    """The bytes at that place; a single one where it does not vary."""
    return rows.data[:, place] if rows.varying[place] else rows.data[:1, place]


def _each(one: Mask, rows: Rows) -> Mask:
    """The same for all rows, where there is only one."""
    return one if one.size == len(rows.data) else np.repeat(one, len(rows.data))


def _ip_in(frames: Frames, ip_at: Column, udp_at: Column, four: Mask) -> Mask:
    """The frames in which IP's checksum is wrong."""
    wrong = np.zeros(four.size, np.bool_)
    which = np.flatnonzero(four)
    start = (frames.start + ip_at)[which]
    wrong[which] = _sums(frames, start, (udp_at - ip_at)[which]) % ONES != 0
    return wrong


def _udp_in(frames: Frames, ip_at: Column, udp_at: Column, four: Mask) -> Mask:
    """The same of UDP's, where there is one and the UDP packet was captured whole."""
    pairs, at = frames.values(">u2"), frames.start + udp_at
    length = pairs[at + 4].astype(np.int64)
    whole = (length >= UDP_HEADER) & (frames.captured >= udp_at + length)
    which = np.flatnonzero(whole & (pairs[at + 6] != 0))
    at, length, four = at[which], length[which], four[which]
    addresses = (frames.start + ip_at)[which] + np.where(four, 12, 8)
    found = _sums(frames, at, length) + _sums(frames, addresses, np.where(four, 8, 32)) + UDP + length
    wrong = np.zeros(whole.size, np.bool_)
    wrong[which] = found % ONES != 0
    return wrong


def _sums(frames: Frames, at: Column, length: Column) -> Column:
    """For each row the sum of the words in `length` bytes at `at`; a last single byte is an upper half."""
    found = np.zeros(at.size, dtype=np.int64)
    for part in _parts(length):
        found[part] = _sums_at_once(frames, at[part], length[part])
    return found


def _parts(length: Column) -> Iterator[slice]:
    """Rows behind each other that have about `AT_ONCE` bytes together."""
    borders = np.flatnonzero(np.diff(np.cumsum(length) // AT_ONCE)) + 1
    ends = [*borders.tolist(), length.size]
    yield from (slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False) if begin < end)


def _sums_at_once(frames: Frames, at: Column, length: Column) -> NDArray[np.uint32]:
    """The same by pieces of one length, which are copied much faster than single words."""
    pieces = (length + PIECE - 1) // PIECE
    last = np.cumsum(pieces) - 1
    begin = last - pieces + 1
    places = np.repeat(at - PIECE * begin, pieces) + PIECE * np.arange(last[-1] + 1)
    kept = np.full(places.size, PIECE)
    kept[last] = length - PIECE * (pieces - 1)
    rows = frames.values(f"V{PIECE}")[places].view(np.uint8).reshape(-1, PIECE)
    rows *= np.take(FIRST, kept, axis=0)
    words = np.einsum("ij->i", rows.view(">u2").astype(np.uint32))
    return np.asarray(np.add.reduceat(words, begin))
