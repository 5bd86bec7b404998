"""Where packets were lost, by what the networks counted: pure arithmetic with its margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ixy.topology import FWD, PCAP, PKTGEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ixy.way import Flow, Way

FIRST, LAST = "pktgen-fwd", "fwd-pcap"
"""Names of the two networks, also where a testbed calls them otherwise."""
EITHER, UNTOLD = "pktgen or pcap", "cannot tell"
PLACES = (PKTGEN, FIRST, FWD, LAST, PCAP, EITHER)
IN_WORDS = {
    PKTGEN: "never sent by pktgen",
    FIRST: "lost in the network between pktgen and fwd",
    FWD: "lost in fwd",
    LAST: "lost in the network between fwd and pcap",
    PCAP: "delivered to pcap and not captured",
    EITHER: "never sent by pktgen, or delivered to pcap and not captured",
}
HELD = 1280
"""Frames that may wait in a role's rings or in a network's queue: virtio's have at most 1024 places."""
SHARE, SLIGHT = 0.25, 0.05
"""Shares of all losses from which a place is named, and below which a remainder means nothing."""
ENOUGH = 0.5
"""Part of the captured packets that must have come while it was counted."""


@dataclass(frozen=True)
class Lost:
    """What the capture says, for comparing.

    Attributes:
        frames: Frames that pcap captured.
        span: Sequence numbers up to the highest one that counts.
        missing: How many of these never came.
        repeated: How many packets came again, wherever they were made.
    """

    frames: int
    span: int
    missing: int
    repeated: int = 0

    @property
    def came(self) -> int:
        """How many of the numbers came."""
        return self.span - self.missing


@dataclass(frozen=True)
class Placement:
    """How many of the missing packets were lost where, about; and the places that matter, in words.

    `at` is one place, some joined by ` and `, or `UNTOLD`.
    """

    at: str
    lost: Mapping[str, int]

    @property
    def lines(self) -> list[str]:
        """For people."""
        if self.at == UNTOLD:
            return ["where they were lost, the networks' counters cannot tell"]
        shown = [f"{IN_WORDS[place]}: about {self.lost[place]:,}" for place in PLACES if self.lost.get(place)]
        return ["where they were lost, by the networks' counters:", *(f"  {line}" for line in shown)]


def place(way: Way, lost: Lost) -> Placement:
    """Where the missing packets were lost.

    pktgen sends more than is captured, so only what was counted before pcap had its last packet is compared:
    as long as fewer frames were delivered to pcap than it captured, it was still capturing.
    """
    early = [flow for flow in way.flows if flow.arrived < lost.came]
    if not early or early[-1].arrived < ENOUGH * lost.came:
        return Placement(UNTOLD, {})
    before, later = early[-1], [*way.flows[len(early) - 1 :]]
    swallowed, sure = _swallowed(way, later, lost)
    if not sure and min(swallowed, HELD) > lost.missing / 2:
        return Placement(UNTOLD, {})
    found = _scaled({FIRST: _not_delivered(later), FWD: swallowed, LAST: before.refused_last}, before, lost)
    rest = lost.missing - sum(found.values())
    found |= _rest(rest, way, before, lost)
    return Placement(_named(found, lost.missing), found)


def _swallowed(way: Way, later: list[Flow], lost: Lost) -> tuple[int, bool]:
    """Frames that fwd took and did not send, and whether that is more than what it may hold for a while.

    What it swallowed never comes out later, so it is at most what it holds at any later moment. When nothing
    was under way in the end, all that it held then was swallowed, at any time of the trial.
    """
    most = max(0, min(flow.held for flow in later) + lost.repeated)
    if not way.quiet:
        return most, most == 0
    whole, share = max(0, way.last.held), later[0].entered / max(1, way.last.entered)
    return min(most, round(whole * share) + lost.repeated), True


def _not_delivered(later: list[Flow]) -> int:
    """What was dropped in front of fwd, and what a bridge refused, which nobody counts."""
    vanished = min(flow.sent - flow.entered - flow.refused for flow in later)
    return later[0].refused + max(0, vanished)


def _scaled(found: Mapping[str, int], before: Flow, lost: Lost) -> dict[str, int]:
    """For the whole capture what was found for the part of it that had come; never more than is missing."""
    factor = lost.came / max(1, before.arrived)
    total = sum(found.values()) * factor
    factor *= min(1.0, lost.missing / total) if total else 1.0
    return {name: round(value * factor) for name, value in found.items()}


def _rest(rest: int, way: Way, before: Flow, lost: Lost) -> dict[str, int]:
    """What neither the networks nor fwd explain: skipped by pktgen, or not read by pcap.

    When pcap has ended, no more is delivered to it than fits its ring.
    """
    if rest <= max(2, SLIGHT * lost.missing):
        return {}
    arrived, over = way.last.arrived, next(f for f in way.flows if f.arrived == way.last.arrived)
    unread = arrived - lost.frames  # or came when pcap had all it wanted
    least = lost.span - over.sent  # so many numbers had not been sent when the highest one was captured
    known = max(before.arrived, arrived - HELD) + lost.missing - rest  # so many of the numbers were sent
    if least > rest / 2 or unread < rest / 2:
        return {PKTGEN: rest}
    return {PCAP if rest - max(0, lost.span - known) > rest / 2 else EITHER: rest}


def _named(found: Mapping[str, int], missing: int) -> str:
    return " and ".join(name for name in PLACES if found.get(name, 0) >= SHARE * missing) or UNTOLD


def where_it_ends(way: Way, frames: int, expected: int) -> list[str]:
    """For a trial in which pcap still waited for packets: how far they got. Empty when enough were captured.

    Here no numbers are compared, so a few frames that were under way do not matter, and many tell.
    """
    if frames >= expected:
        return []
    flow = way.last
    gone = {
        PKTGEN: max(0, expected - flow.sent),
        FIRST: flow.sent - flow.entered,
        FWD: flow.held,
        LAST: flow.left - flow.arrived,
        PCAP: flow.arrived - frames,
    }
    worst = max(gone, key=lambda name: gone[name])
    if gone[worst] <= (0 if way.quiet else HELD) or gone[worst] < SHARE * (expected - frames):
        return []
    full = {FIRST: (flow.refused, FWD), LAST: (flow.refused_last, PCAP)}
    dropped, role = full.get(worst, (0, ""))
    why = f" ({role} did not take them)" if dropped > gone[worst] / 2 else ""
    return [f"most of what is missing was {IN_WORDS[worst]}: {gone[worst]:,}{why}"]


def way_line(way: Way, frames: int) -> str:
    """How many frames passed each place, in one line."""
    flow = way.last
    first = f" ({flow.refused:,} dropped in front of it)" if flow.refused else ""
    last = f" ({flow.refused_last:,} dropped in front of it)" if flow.refused_last else ""
    return (
        f"pktgen sent {flow.sent:,} > fwd received {flow.entered:,}{first}, sent {flow.left:,} > "
        f"pcap received {flow.arrived:,}{last}, captured {frames:,}"
    )
