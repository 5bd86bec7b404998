"""Made trials: what networks count when a role loses packets in a way that is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from pytest_ixy.bundle import NicRecord, NodeRecord
from pytest_ixy.rules.placement import Lost
from pytest_ixy.series import Series
from pytest_ixy.way import Flow, Way

Loses = Callable[[int], bool]


def never(_number: int) -> bool:
    return False


def nth(every: int) -> Loses:
    return lambda number: number % every == every - 1


@dataclass(frozen=True)
class Trial:
    """Packets at 25 a millisecond; `sends` to `reads` say which numbers a place loses.

    Attributes:
        wanted: pcap ends when it has so many.
        waiting: The most frames that a role has in its rings when it is looked at.
    """

    skips: Loses = never
    refused: Loses = never
    swallowed: Loses = never
    refused_last: Loses = never
    unread: Loses = never
    wanted: int = 20_000
    waiting: int = 60
    ring: int = 256

    def simulate(self) -> tuple[list[Flow], Lost]:
        counts = dict.fromkeys(("sent", "entered", "refused", "left", "arrived", "refused_last"), 0)
        flows, captured, number, chance = [], [], 0, random.Random(1)
        over = 0  # packets since pcap has ended
        while over < 5000:
            if number % 2500 == 0:
                flows.append(self._seen(Flow(number / 25_000, **counts), chance))
            arrives = self._pass(counts, number, room=over < self.ring)
            over += len(captured) >= self.wanted
            if arrives and not self.unread(number) and len(captured) < self.wanted:
                captured.append(number)
            number += 1
        flows.append(Flow(number / 25_000, **counts))
        span = captured[-1] + 1
        return flows, Lost(len(captured), span, span - len(captured))

    def _pass(self, counts: dict[str, int], number: int, *, room: bool) -> bool:
        if self.skips(number):
            return False
        counts["sent"] += 1
        if self.refused(number):
            counts["refused"] += 1
            return False
        counts["entered"] += 1
        if self.swallowed(number):
            return False
        counts["left"] += 1
        reached = room and not self.refused_last(number)
        counts["arrived" if reached else "refused_last"] += 1
        return reached

    def _seen(self, flow: Flow, chance: random.Random) -> Flow:
        """With frames under way."""
        first, second = (chance.randrange(self.waiting) for _ in range(2))
        left = max(0, flow.left - first)
        return replace(flow, left=left, arrived=max(0, min(flow.arrived, left - second)))

    def way(self, *, quiet: bool = True) -> tuple[Way, Lost]:
        flows, lost = self.simulate()
        if not quiet:
            flows = flows[:-1]
        return Way(tuple(flows), flows[-1], waited=flows[-1].seconds, quiet=quiet), lost


def as_series(way: Way, marks: dict[str, float]) -> Series:
    """As the bundle has it."""
    names = (
        "pktgen/0/sent",
        "fwd/0/received",
        "fwd/0/dropped",
        "fwd/1/sent",
        "pcap/0/received",
        "pcap/0/dropped",
    )
    rows = tuple(
        (f.seconds, f.sent, f.entered, f.refused, f.left, f.arrived, f.refused_last) for f in way.flows
    )
    return Series(names=names, rows=rows, marks=marks)


def as_nodes(flow: Flow) -> tuple[NodeRecord, ...]:
    """As the manifest has it."""

    def nic(network: str, sent: int, received: int, dropped: int = 0) -> NicRecord:
        return NicRecord(network=network, pci="0000:00:06.0", sent=sent, received=received, dropped=dropped)

    first, second = "pktgen-fwd", "fwd-pcap"
    return (
        NodeRecord(name="pcap", nics=(nic(second, 0, flow.arrived, flow.refused_last),)),
        NodeRecord(name="fwd", nics=(nic(first, 0, flow.entered, flow.refused), nic(second, flow.left, 0))),
        NodeRecord(name="pktgen", nics=(nic(first, flow.sent, 0),)),
    )
