"""Judges captures the slow and obvious way: what the fast rules have to agree with, outcome and numbers.

Written from the rules' definitions (README, the summaries of the rules) and from what ixy-ci calls a
packet: what etherparse 0.9 finds behind Ethernet. Not from the fast code. No numpy, no scapy; one frame
after the other, one function for each rule.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slow_reader import Frame, Reading, read

TAGS = {0x8100, 0x88A8, 0x9100}
EXTENSIONS = {0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254}
FRAGMENT = 44
MOST_EXTENSIONS = 12
TCP, UDP = 6, 17

UNREADABLE, UNTOLD, OTHER, FOUND = "unreadable", "untold", "other", "udp"
"""What a frame is: one that cannot be parsed; one that the snap length cut where it cannot be told;
one without UDP; one with."""


class Short(Exception):  # noqa: N818
    """The frame ends where a header should go on."""


class Nonsense(Exception):  # noqa: N818
    """A header contradicts itself."""


@dataclass(frozen=True)
class Packet:
    """A frame as ixy-ci sees it; `at` is where the UDP header starts."""

    kind: str
    frame: Frame
    at: int = 0

    @property
    def udp_length(self) -> int:
        return int.from_bytes(self.frame.data[self.at + 4 : self.at + 6], "big")

    @property
    def payload(self) -> bytes:
        return self.frame.data[self.at + 8 :]

    @property
    def number(self) -> int | None:
        """The sequence number, None for packets without ixy's structure and where it was cut off."""
        if (
            self.kind != FOUND
            or self.udp_length != 26
            or self.payload[:3] != b"ixy"
            or len(self.payload) < 18
        ):
            return None
        return int(struct.unpack_from("<I", self.payload, 14)[0])

    @property
    def misshapen(self) -> bool:
        """True for UDP packets that do not have ixy's structure."""
        if self.kind != FOUND:
            return False
        if self.udp_length != 26:
            return True
        cut = len(self.frame.data) < self.frame.original and len(self.payload) < 3
        return self.payload[:3] != b"ixy" and not cut


def parse(frame: Frame) -> Packet:
    try:
        kind, at = _ethernet(frame.data)
    except Nonsense:
        kind, at = UNREADABLE, 0
    except Short:
        kind, at = (UNTOLD if len(frame.data) < frame.original else UNREADABLE), 0
    return Packet(kind, frame, at)


def _need(data: bytes, size: int) -> None:
    if len(data) < size:
        raise Short


def _ethernet(data: bytes) -> tuple[str, int]:
    _need(data, 14)
    at, kind = 14, int.from_bytes(data[12:14], "big")
    for _ in range(2):
        if kind in TAGS:
            _need(data, at + 4)
            kind = int.from_bytes(data[at + 2 : at + 4], "big")
            at += 4
    if kind == 0x0800:
        return _ipv4(data, at)
    if kind == 0x86DD:
        return _ipv6(data, at)
    return OTHER, 0


def _ipv4(data: bytes, at: int) -> tuple[str, int]:
    _need(data, at + 20)
    version, words = data[at] >> 4, data[at] & 15
    if version != 4 or words < 5 or int.from_bytes(data[at + 2 : at + 4], "big") < words * 4:
        raise Nonsense
    _need(data, at + words * 4)
    return _transport(data, at + words * 4, data[at + 9])


def _ipv6(data: bytes, at: int) -> tuple[str, int]:
    _need(data, at + 40)
    if data[at] >> 4 != 6:
        raise Nonsense
    protocol = data[at + 6]
    at += 40
    for _ in range(MOST_EXTENSIONS):
        if protocol in EXTENSIONS:
            _need(data, at + 8)
            size = 8 if protocol == FRAGMENT else (data[at + 1] + 1) * 8
            _need(data, at + size)
            protocol, at = data[at], at + size
    if protocol in EXTENSIONS:
        raise Nonsense
    return _transport(data, at, protocol)


def _transport(data: bytes, at: int, protocol: int) -> tuple[str, int]:
    if protocol == UDP:
        _need(data, at + 8)
        return FOUND, at
    if protocol == TCP:
        _need(data, at + 20)
        size = (data[at + 12] >> 4) * 4
        if size < 20:
            raise Nonsense
        _need(data, at + size)
    return OTHER, 0


@dataclass(frozen=True)
class Verdict:
    """What a rule says; `frames` are the 1-based numbers of those that break it, as far as it names them."""

    outcome: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[int, ...] = ()


SKIPPED = Verdict("skipped")


@dataclass(frozen=True)
class Trial:
    """A capture, and how many packets were asked for."""

    reading: Reading
    packets: list[Packet]
    expected: int

    @property
    def udp(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.kind == FOUND]

    @property
    def numbers(self) -> list[int]:
        return [packet.number for packet in self.packets if packet.number is not None]

    @property
    def unreadable(self) -> bool:
        """Nothing can be said about frames; a capture that is an empty file is known to hold none."""
        return not self.packets and self.reading.flaw not in {None, "empty"}


def judge(data: bytes, expected: int) -> dict[str, Verdict]:
    reading = read(data)
    trial = Trial(reading, [parse(frame) for frame in reading.frames], expected)
    return {
        "complete": complete(trial),
        "count": count(trial),
        "sequence-bounds": sequence_bounds(trial),
        "duplicates": duplicates(trial),
        "size": size(trial),
        "structure": structure(trial),
    }


def complete(trial: Trial) -> Verdict:
    frames = trial.reading.frames
    whole = all(len(frame.data) == frame.original for frame in frames)
    good = trial.reading.flaw is None and bool(frames) and whole
    numbers = {"frames": len(frames), "packets": len(trial.udp), "expected": trial.expected}
    return Verdict("passed" if good else "failed", numbers)


def count(trial: Trial) -> Verdict:
    if trial.unreadable:
        return SKIPPED
    udp = len(trial.udp)
    numbers = {"packets": udp, "expected": trial.expected, "foreign": len(trial.packets) - udp}
    return Verdict("passed" if udp == trial.expected else "failed", numbers)


def sequence_bounds(trial: Trial) -> Verdict:
    if not trial.numbers:
        return SKIPPED
    highest, low, high = max(trial.numbers), trial.expected - 1, 2 * trial.expected
    numbers = {"highest": highest, "lower_bound": low, "upper_bound": high}
    return Verdict("passed" if low <= highest <= high else "failed", numbers)


def duplicates(trial: Trial) -> Verdict:
    if not trial.numbers:
        return SKIPPED
    seen: set[int] = set()
    again = []
    for place, packet in enumerate(trial.packets, 1):
        if packet.number in seen:
            again.append(place)
        elif packet.number is not None:
            seen.add(packet.number)
    numbers = {
        "duplicates": len(again),
        "packets": len(trial.numbers),
        "replicated_numbers": sum(times > 1 for times in Counter(trial.numbers).values()),
        "fraction": len(again) / len(seen),
    }
    return Verdict("failed" if again else "passed", numbers, tuple(again))


def size(trial: Trial) -> Verdict:
    if not trial.udp:
        return SKIPPED
    wrong = [
        place
        for place, packet in enumerate(trial.packets, 1)
        if packet.kind == FOUND and max(len(packet.frame.data), packet.frame.original) != 60
    ]
    numbers = {"wrong": len(wrong), "packets": len(trial.udp)}
    return Verdict("failed" if wrong else "passed", numbers, tuple(wrong))


def structure(trial: Trial) -> Verdict:
    wrong = [
        place
        for place, packet in enumerate(trial.packets, 1)
        if packet.kind == UNREADABLE or packet.misshapen
    ]
    if not wrong and not trial.udp:
        return SKIPPED
    numbers = {"wrong": len(wrong), "packets": len(trial.udp)}
    return Verdict("failed" if wrong else "passed", numbers, tuple(wrong))
