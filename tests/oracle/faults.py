"""A mutation engine for captures: takes a good one and injects one fault at one place.

A fault is a function of the packets, the place (an index of them) and the format; it returns the bytes
of the file. Most change packets, and `of_packets` writes them; the others change the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

from captures import Packet, ixy_frame, packets
from formats import Format

from pytest_ixy.dialect import Dialect, shipped

Packets = list[Packet]
Fault = Callable[[Packets, int, Format], bytes]

NUMBER_AT = 56
IXY = shipped()


def good(count: int, *, first: int = 0, dialect: Dialect | None = None) -> Packets:
    """What a good trial captures."""
    return packets(dialect_frame(dialect or IXY, number) for number in range(first, first + count))


def dialect_frame(dialect: Dialect, number: int) -> bytes:
    """A packet as the dialect's forwarder passes it on; where any byte will do, it has ixy's."""
    free = ixy_frame(0).ljust(dialect.size, b"\0")
    frame = bytearray(
        own if byte is None else byte for byte, own in zip(dialect.arriving, free, strict=False)
    )
    if (where := dialect.number) is not None:
        frame[where.at : where.at + where.width] = (number + where.first).to_bytes(where.width, where.order)
    return bytes(frame)


def of_packets(change: Callable[[Packets, int], Sequence[Packet]]) -> Fault:
    return lambda found, at, form: form.file(change(list(found), at))


def of_order(change: Callable[[Packets, int], Sequence[Packet]]) -> Fault:
    """Changes which packets come when; each is stamped when it comes."""
    return of_packets(lambda found, at: packets(packet.data for packet in change(found, at)))


def of_frame(change: Callable[[bytes], bytes]) -> Fault:
    """Changes the bytes of the packet at that place; captured and original length stay honest."""
    return of_packets(
        lambda found, at: [*found[:at], replace(found[at], data=change(found[at].data)), *found[at + 1 :]]
    )


def of_every_number(change: Callable[[int], int]) -> Fault:
    def renumbered(packet: Packet) -> Packet:
        (number,) = struct.unpack_from("<I", packet.data, NUMBER_AT)
        changed = struct.pack("<I", change(number) & 0xFFFFFFFF)
        return replace(packet, data=packet.data[:NUMBER_AT] + changed)

    return of_packets(lambda found, _at: [renumbered(packet) for packet in found])


# packets that are missing, come again, or come at another place


def lose(burst: int = 1) -> Fault:
    return of_order(lambda found, at: found[:at] + found[at + burst :])


def lose_the_rest() -> Fault:
    return of_order(lambda found, at: found[:at])


def duplicate(distance: int) -> Fault:
    """The packet comes again behind that many others."""
    return of_order(lambda found, at: [*found[: at + 1 + distance], found[at], *found[at + 1 + distance :]])


def overwrite(distance: int) -> Fault:
    """In the packet's place stands the one from that many places before, counted around the end."""
    return of_order(lambda found, at: [*found[:at], found[at - distance], *found[at + 1 :]])


def swap(distance: int) -> Fault:
    """The packet and the one that many places later, counted around the end, where number 1 is next."""

    def change(found: Packets, at: int) -> Packets:
        other = 1 + (at + distance - 1) % (len(found) - 1)
        found[at], found[other] = found[other], found[at]
        return found

    return of_order(change)


def stale(count: int, *, first: int = 0, pushed_out: bool = False) -> Fault:
    """Packets of an earlier trial come before; pcap may have ended that many packets early for it."""
    return of_order(lambda found, _at: good(count, first=first) + found[: len(found) - count * pushed_out])


def insert(frame: bytes) -> Fault:
    return of_order(lambda found, at: [*found[:at], Packet(frame), *found[at:]])


def stamp(difference: int) -> Fault:
    """The clock of one packet is off by that many ns."""
    return of_packets(
        lambda found, at: [
            *found[:at],
            replace(found[at], time=found[at].time + difference),
            *found[at + 1 :],
        ]
    )


# bytes of a frame


def flip(byte: int, bit: int) -> Fault:
    return of_frame(lambda data: data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])


def put(offset: int, value: bytes) -> Fault:
    return of_frame(lambda data: data[:offset] + value + data[offset + len(value) :])


def shift(by: int, start: int = 0) -> Fault:
    """The bytes from `start` on stand later by `by` (earlier when negative); zeros fill the hole."""

    def change(data: bytes) -> bytes:
        rest = data[start:]
        moved = bytes(by) + rest if by > 0 else rest[-by:] + bytes(-by)
        return data[:start] + moved[: len(rest)]

    return of_frame(change)


def swap_number() -> Fault:
    """The sequence number of one packet is big-endian."""
    return of_frame(lambda data: data[:NUMBER_AT] + data[NUMBER_AT:][::-1])


def resize(size: int) -> Fault:
    """The frame is padded or cut, and nothing says so."""
    return of_frame(lambda data: data[:size].ljust(size, b"\xee"))


def snap(size: int) -> Fault:
    """The frame is cut, and the record says so."""
    return of_packets(
        lambda found, at: [
            *found[:at],
            replace(found[at], data=found[at].data[:size], original=found[at].wire),
            *found[at + 1 :],
        ]
    )


# bytes of the file


def claim(*, captured: int | None = None, original: int | None = None) -> Fault:
    """The record's header tells another length; its bytes stay."""

    def inject(found: Packets, at: int, form: Format) -> bytes:
        data, start = bytearray(form.file(found)), form.start(found[:at])
        for offset, value in ((form.captured_at, captured), (form.original_at, original)):
            if value is not None:
                struct.pack_into(form.order + "I", data, start + offset, value)
        return bytes(data)

    return inject


def cut_file(kept: int) -> Fault:
    """The file ends that many bytes into the record."""
    return lambda found, at, form: form.file(found)[: form.start(found[:at]) + kept]


def cut_head(kept: int) -> Fault:
    """The file ends inside of its own header."""
    return lambda found, _at, form: form.file(found)[:kept]


def flip_file(byte: int, bit: int) -> Fault:
    def inject(found: Packets, _at: int, form: Format) -> bytes:
        data = bytearray(form.file(found))
        data[byte] ^= 1 << bit
        return bytes(data)

    return inject
