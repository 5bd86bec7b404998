"""Classes of frames that a forwarder should pass: each is a test of scenario `frames`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from pytest_ixy.traffic import Traffic, evenly
from pytest_ixy.traffic.craft import (
    ARP,
    BROADCAST,
    EXPERIMENT,
    LLDP,
    LONGEST,
    QINQ,
    RARP,
    SHORTEST,
    TAG,
    frame,
    ipv4,
    ipv6,
    pattern,
    sender,
    tag,
)

GAP = 0.0004
"""Seconds between frames, where it does not matter: slow enough for machines that are emulated."""
FEW = 200
SHORT, LONG = 64, 1400
SIZES = (SHORT, 65, 127, 128, 256, 511, 777, 1000, 1024, LONG)
"""None of those that classes are named after: a driver that fails at these should not fail everywhere."""
BURST, BURSTS, PAUSE = 200, 8, 0.1
TRICKLE, APART = 15, 0.1

Build = Callable[[], Traffic]


def _of_size(size: int) -> Build:
    return lambda: evenly(f"size-{size}", tuple(ipv4(number, size) for number in range(FEW)), GAP)


def _sizes() -> Traffic:
    """Short and long ones by turns: what is left of a long one must not come along with a short one."""
    rising = range(SHORTEST, LONGEST + 1)
    order = chain.from_iterable(zip(rising, reversed(rising), strict=True))
    return evenly("sizes", _numbered(ipv4, list(order)[: len(rising)]), GAP)


def _numbered(make: Callable[[int, int], bytes], sizes: Iterable[int]) -> tuple[bytes, ...]:
    return tuple(make(number, size) for number, size in enumerate(sizes))


def _some(name: str, make: Callable[[int, int], bytes], sizes: tuple[int, ...] = SIZES) -> Build:
    """Frames of those sizes, again and again."""
    order = [sizes[number % len(sizes)] for number in range(FEW)]
    return lambda: evenly(name, _numbered(make, order), GAP)


def _vlan(number: int, size: int) -> bytes:
    return ipv4(number, size, tags=tag(1 + number % 4094))


def _qinq(number: int, size: int) -> bytes:
    return ipv4(number, size, tags=tag(100, QINQ) + tag(1 + number % 4094))


def _broadcast(number: int, size: int) -> bytes:
    return ipv4(number, size, to=BROADCAST)


def _multicast(number: int, size: int) -> bytes:
    """IPv4's and IPv6's groups, and one of nobody's. Bridges keep 01:80:c2:00:00:0x for themselves."""
    group = ("01005e0000fb", "3333000000fb", "090007000001")[number % 3]
    return ipv4(number, size, to=bytes.fromhex(group))


def _non_ip(number: int, size: int) -> bytes:
    """ARP, RARP, what LLDP is, LLC with a length in place of a type, and a type for experiments."""
    room = size - 14
    arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + sender(number) + bytes(14)
    kinds = (
        (ARP, arp, BROADCAST),
        (RARP, arp, BROADCAST),
        (LLDP, pattern(room, number), None),
        (min(room, 1500), b"\xaa\xaa\x03" + pattern(room - 3, number), None),
        (EXPERIMENT, pattern(room, number), None),
    )
    kind, body, to = kinds[number % len(kinds)]
    return frame(number, kind, body, to=to) if to else frame(number, kind, body)


def _filled(value: int) -> Callable[[int, int], bytes]:
    """All bytes the same, behind an Ethernet header alone or behind UDP's too."""
    fill = bytes([value])

    def make(number: int, size: int) -> bytes:
        return ipv4(number, size, fill) if number % 2 else frame(number, EXPERIMENT, fill * (size - 14))

    return make


def _bursts() -> Traffic:
    sizes = [(SHORT, LONG)[number % 2] for number in range(BURST * BURSTS)]
    times = tuple(PAUSE * (number // BURST) for number in range(len(sizes)))
    return Traffic("bursts", _numbered(ipv4, sizes), times)


_CLASSES: tuple[tuple[str, Build], ...] = (
    ("size-60", _of_size(SHORTEST)),
    ("size-1514", _of_size(LONGEST)),
    ("sizes", _sizes),
    ("vlan", _some("vlan", _vlan)),
    ("vlan-1518", _some("vlan-1518", _vlan, (LONGEST + TAG,))),  # a tag makes the longest longer
    ("qinq", _some("qinq", _qinq)),
    ("broadcast", _some("broadcast", _broadcast)),
    ("multicast", _some("multicast", _multicast)),
    ("ipv6", _some("ipv6", ipv6)),
    ("non-ip", _some("non-ip", _non_ip)),
    ("zeros", _some("zeros", _filled(0))),
    ("ones", _some("ones", _filled(0xFF))),
    ("bursts", _bursts),
    ("trickle", lambda: evenly("trickle", _numbered(ipv4, [SHORT] * TRICKLE), APART)),
)

CLASSES: Mapping[str, Build] = dict(_CLASSES)
"""What makes the frames of a class, by its name."""
