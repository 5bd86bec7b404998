"""How many frames had passed each place on their way from pktgen to pcap, by what the networks counted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from pytest_ixy.series import COUNTERS, QUIET, WAITED, read
from pytest_ixy.topology import FWD, PCAP, PKTGEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ixy.bundle import Bundle, Manifest, NicRecord


@dataclass(frozen=True)
class Flow:
    """Frames by one moment, in seconds since the trial's start.

    Attributes:
        sent: Came out of pktgen.
        entered: Went into fwd.
        refused: Dropped in front of fwd, because it did not take them.
        left: Came out of fwd, on its other NIC.
        arrived: Went into pcap.
        refused_last: Dropped in front of pcap.
    """

    seconds: float
    sent: int
    entered: int
    refused: int
    left: int
    arrived: int
    refused_last: int

    @property
    def dropped(self) -> int:
        """Frames that did not get into the next machine."""
        return self.refused + self.refused_last

    @property
    def held(self) -> int:
        """Frames that went into fwd and have not come out."""
        return self.entered - self.left


@dataclass(frozen=True)
class Way:
    """What is known of a trial's way.

    Attributes:
        flows: Moments in order, while all roles ran; at the last one they may be about to end.
        total: The same when everything was over; roles that had ended still took what fitted their rings.
        waited: When the wait for pcap was over; None where nobody knows.
        quiet: True when nothing was under way at the last moment.
    """

    flows: tuple[Flow, ...]
    total: Flow
    waited: float | None = None
    quiet: bool = False

    @property
    def last(self) -> Flow:
        """The latest moment at which fwd is known to have run; when nobody knows, the end."""
        return self.flows[-1] if self.flows else self.total

    @classmethod
    def of(cls, bundle: Bundle) -> Self | None:
        """The way of a bundle's trial; None where nothing was counted, or the topology is another one."""
        places = _places(bundle.manifest)
        total = _total(bundle.manifest, places) if places else None
        if places is None or total is None:
            return None
        series = read(bundle, COUNTERS)
        end = series.marks.get(QUIET, series.marks.get(WAITED))
        rows = [dict(zip(("seconds", *series.names), row, strict=True)) for row in series.rows]
        flows = [_flow(places, row) for row in rows]
        known = [flow for flow in flows if flow and end is not None and flow.seconds <= end]
        steady = all(_not_less(early, late) for early, late in pairwise([*known, total]))
        if not steady:  # no lab counts backwards
            return cls((), total)
        return cls(tuple(known), total, series.marks.get(WAITED), QUIET in series.marks)


Places = tuple[str, str, str, str]
"""Names of the NICs in order, as in `series`: pktgen's, fwd's two, pcap's."""


def _places(manifest: Manifest) -> Places | None:
    nics = {
        (node.name, nic.network): f"{node.name}/{index}"
        for node in manifest.nodes
        for index, nic in enumerate(node.nics)
    }
    networks = [[network for name, network in nics if name == role] for role in (PKTGEN, FWD, PCAP)]
    first, passed, last = networks
    if len(first) != 1 or len(last) != 1 or sorted(passed) != sorted([*first, *last]):
        return None
    return nics[PKTGEN, first[0]], nics[FWD, first[0]], nics[FWD, last[0]], nics[PCAP, last[0]]


def _flow(places: Places, row: Mapping[str, float | None]) -> Flow | None:
    source, inner, outer, sink = places
    names = [f"{source}/sent", f"{inner}/received", f"{inner}/dropped", f"{outer}/sent"]
    found = [row.get(name) for name in [*names, f"{sink}/received", f"{sink}/dropped"]]
    known = [int(value) for value in found if value is not None]
    return Flow(float(row.get("seconds") or 0), *known) if len(known) == len(found) else None


def _total(manifest: Manifest, places: Places) -> Flow | None:
    """What the manifest says at the trial's end."""
    row: dict[str, float | None] = {"seconds": float("inf")}
    for node in manifest.nodes:
        for index, nic in enumerate(node.nics):
            row |= {f"{node.name}/{index}/{name}": value for name, value in _counts(nic).items()}
    return _flow(places, row)


def _counts(nic: NicRecord) -> dict[str, int | None]:
    dropped = 0 if nic.dropped is None and nic.received is not None else nic.dropped
    return {"sent": nic.sent, "received": nic.received, "dropped": dropped}


def _not_less(early: Flow, late: Flow) -> bool:
    return all(getattr(early, each.name) <= getattr(late, each.name) for each in fields(Flow))


def steady(way: Way, count: Callable[[Flow], int]) -> float | None:
    """Frames per second while they came steadily: from a tenth to nine tenths of all; None if too short."""
    flows = [flow for flow in way.flows if way.waited is None or flow.seconds <= way.waited]
    top = count(flows[-1]) if flows else 0
    inner = [flow for flow in flows if top / 10 <= count(flow) <= top * 9 / 10]
    if not top or len(inner) < 2 or inner[-1].seconds - inner[0].seconds < SHORTEST:  # noqa: PLR2004
        return None
    return (count(inner[-1]) - count(inner[0])) / (inner[-1].seconds - inner[0].seconds)


SHORTEST = 0.25
"""Seconds below which counters sampled ten times a second make no rate."""
