"""What the slow judge judges, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slow_packets import FOUND, Packet
from slow_reader import Reading

from pytest_ixy.dialect import Dialect


@dataclass(frozen=True)
class Verdict:
    """What a rule says; `frames` are the 1-based numbers of those that break it, as far as it names them."""

    outcome: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    frames: tuple[int, ...] = ()


SKIPPED = Verdict("skipped")


def verdict(broken: object, numbers: Mapping[str, Any], frames: list[int] | tuple[int, ...] = ()) -> Verdict:
    return Verdict("failed" if broken else "passed", numbers, tuple(frames))


@dataclass(frozen=True)
class Trial:
    """A capture, and how many packets were asked for."""

    reading: Reading
    packets: list[Packet]
    expected: int
    dialect: Dialect

    @property
    def udp(self) -> list[Packet]:
        return [packet for packet in self.packets if packet.kind == FOUND]

    @property
    def numbered(self) -> list[tuple[int, int]]:
        """Frame number (from 1) and sequence number of all packets that have one, if that is wide enough."""
        number = self.dialect.number
        if number is None or number.first + self.expected > 256**number.width:
            return []
        return [
            (place, packet.number)
            for place, packet in enumerate(self.packets, 1)
            if packet.number is not None
        ]

    @property
    def unreadable(self) -> bool:
        """Nothing can be said about frames; a capture that is an empty file is known to hold none."""
        return not self.packets and self.reading.flaw not in {None, "empty"}
