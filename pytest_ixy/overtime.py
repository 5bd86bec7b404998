"""Rate, loss and memory over the time of a trial, as points (seconds since its start, value)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_ixy import series
from pytest_ixy.change import Point
from pytest_ixy.topology import PKTGEN
from pytest_ixy.way import Flow, Way

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle

ENOUGH = 1000
"""Packets in a stretch of time from which a share of them is told."""
SECOND = 1.0
"""Seconds over which rates and losses are counted, at least."""
COUNTS: dict[str, Callable[[Flow], int]] = {
    "sent by pktgen": lambda flow: flow.sent,
    "received by fwd": lambda flow: flow.entered,
    "sent by fwd": lambda flow: flow.left,
    "received by pcap": lambda flow: flow.arrived,
}


def flows(bundle: Bundle, apart: float = SECOND) -> list[Flow]:
    """What was counted from the first packet until the wait was over, about every so many seconds."""
    way = Way.of(bundle)
    if way is None or way.waited is None:
        return []
    kept: list[Flow] = []
    for flow in way.flows:
        later = not kept or flow.seconds >= kept[-1].seconds + apart
        if flow.sent and flow.seconds <= way.waited and later:
            kept.append(flow)
    return kept


def rates(moments: list[Flow], count: Callable[[Flow], int]) -> list[Point]:
    """Frames per second over time."""
    return [
        (early.seconds, (count(late) - count(early)) / (late.seconds - early.seconds))
        for early, late in pairwise(moments)
    ]


Count = Callable[[Flow], int]


def losses(moments: list[Flow], source: Count, sink: Count) -> list[Point]:
    """Share of what passed one place that did not pass another, over time.

    Left out while so little passed that what is under way would count for much.
    """
    return [
        (early.seconds, 1 - (sink(late) - sink(early)) / (source(late) - source(early)))
        for early, late in pairwise(moments)
        if source(late) - source(early) >= ENOUGH
    ]


def memory(bundle: Bundle, role: str) -> list[Point]:
    """KiB of a role's processes, huge pages with the rest; left out while none ran."""
    table = series.read(bundle, series.MEMORY)
    huge = dict(table.column(f"{role}/huge"))
    return [(at, value + huge.get(at, 0.0)) for at, value in table.column(f"{role}/rss") if value]


def since(bundle: Bundle, moment: float) -> float:
    """Seconds since traffic began."""
    run = bundle.manifest.roles.get(PKTGEN)
    return max(0.0, moment - (run.started if run else 0.0))


def clock(bundle: Bundle, moment: float) -> str:
    """`00:03:20`, since traffic began."""
    minutes, seconds = divmod(round(since(bundle, moment)), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
