"""What programs of the ixy family say of their own rate, read from their output, which nobody vouches for.

[0000:00:06.0] RX: 12 Mbit/s 0.02 Mpps                     C, C++, C#, Go, JavaScript, Python, Rust, Swift
0000:00:06.0 TX: 0.0213 Mpps | 14.3 Mbit/s                 Java
Driver 1 -> RX: 1.9024537e-5Mpps | TX: 0.0Mpps             Haskell
sent 123456 packets, 25012 packets/s                       the example; also forwarded, captured
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from pytest_ixy.topology import PKTGEN

Direction = Literal["RX", "TX"]

WIDEST, MOST = 240, 100_000
"""Characters of a line, and lines, that are looked at."""
FASTEST = 1e9
"""Packets per second that nobody reaches: 100 Gbit/s are 149 million."""
NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?)"
MEGA = re.compile(rf"(?<![0-9.,eE+-]){NUMBER} {{0,4}}Mpps(?![A-Za-z])")
DIRECTION = re.compile(r"(?<![A-Za-z])([RT]X):")
PLAIN = re.compile(r"^(sent|forwarded|captured) [0-9]{1,20} packets, ([0-9]{1,12}) packets/s$")
VERBS: dict[str, Direction] = {"sent": "TX", "forwarded": "TX", "captured": "RX"}


@dataclass(frozen=True)
class Said:
    """One number of a line.

    Attributes:
        device: What stands before it, such as `[0000:00:06.0]`.
        direction: What it counts.
        rate: Packets per second.
        step: How fine the number is: half of its last digit.
    """

    device: str
    direction: Direction
    rate: float
    step: float


@dataclass(frozen=True)
class Spoken:
    """What a role said all in all, in packets per second, give or take `step`; from so many numbers."""

    rate: float
    step: float
    times: int


def spoken(text: str, role: str) -> Spoken | None:
    """The rate that a role's output tells, None where it tells none.

    pktgen's is what it sends, the others' what they receive; a role that tells only the other one's is
    believed too. Of several devices the busiest counts. Seconds in which less than half of the most passed
    are left out, because roles run before and after the traffic; of the others the median counts.
    """
    found = [said for line in text.splitlines()[:MOST] for said in of_line(line) if said.rate > 0]
    first: Direction = "TX" if role == PKTGEN else "RX"
    chosen = [said for said in found if said.direction == first] or found
    devices = {said.device for said in chosen}
    return max(
        (_summed([said for said in chosen if said.device == device]) for device in devices),
        key=lambda one: (one.rate, one.times),
        default=None,
    )


def _summed(numbers: list[Said]) -> Spoken:
    top = max(said.rate for said in numbers)
    busy = [said for said in numbers if said.rate >= top / 2]
    return Spoken(median(said.rate for said in busy), max(said.step for said in busy), len(busy))


def of_line(line: str) -> Iterator[Said]:
    """The numbers in one line, absurd ones left out."""
    line = line[:WIDEST].strip()
    if match := PLAIN.match(line):
        yield from _sensible(Said("", VERBS[match[1]], float(match[2]), 0.5))
        return
    marks = list(DIRECTION.finditer(line))
    for index, mark in enumerate(marks):
        after = marks[index + 1].start() if index + 1 < len(marks) else len(line)
        if number := MEGA.search(line[mark.end() : after]):
            direction: Direction = "RX" if mark[1] == "RX" else "TX"
            device = line[: marks[0].start()].strip()
            yield from _sensible(Said(device, direction, float(number[1]) * 1e6, _step(number[1]) * 1e6))


def _sensible(said: Said) -> Iterable[Said]:
    return [said] if 0 <= said.rate < FASTEST else []


def _step(number: str) -> float:
    """Half of the last digit's worth."""
    digits, _, exponent = number.lower().partition("e")
    places = len(digits.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - places)
