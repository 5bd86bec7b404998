"""How a stream begins: what came first, and whether anything is missing from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.recovery import WAITING, stream, too_much
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.words import count
from pytest_ixy.topology import PCAP

if TYPE_CHECKING:
    from pytest_ixy.rules import Evidence

UNBROKEN, FIRST = "unbroken", "first"
MISSED = 16
"""Packets at the beginning that may be lost: more than a device that was asleep may drop."""


def judge_unbroken(evidence: Evidence) -> Finding:
    """Whether a capture that began in mid-stream has all packets from there on."""
    if cause := evidence.unnumbered:
        return skipped(UNBROKEN, cause)
    start = _start(evidence)
    found = stream(evidence, start, start).after
    numbers = {"first": found.lowest, "missing": found.missing(), "waited": start}
    begins = f"the stream begins with #{found.lowest:,}, behind {count(start, 'packet')} that had waited"
    if not too_much(evidence, found, _began(evidence)):
        return passed(UNBROKEN, f"{begins}, and goes on to #{found.highest:,}", numbers)
    title = f"{found.missing():,} packets are missing ({found.share():.1%}) after pcap began in mid-stream"
    expected = f"expected: hardly one missing up to #{found.highest:,}, or none that a network did not drop"
    return failed(UNBROKEN, title, numbers, [begins, expected, *evidence.counters])


def _began(evidence: Evidence) -> float:
    """When pcap was started."""
    run = evidence.manifest.roles.get(PCAP)
    return run.started if run else 0.0


def _start(evidence: Evidence) -> int:
    """How many frames had waited in the network until pcap took them: those before the furthest rise."""
    import numpy as np

    for batch in evidence.numbered():
        near = batch.frame <= WAITING
        if near.sum() > 1:
            rises = np.diff(batch.sequence[near].astype(np.int64))
            place = int(rises.argmax())
            return int(batch.frame[place]) if rises[place] > 1 else 0
    return 0


def judge_first(evidence: Evidence) -> Finding:
    """Whether the first packet that came is the first that was sent, or nearly."""
    if cause := evidence.unnumbered:
        return skipped(FIRST, cause)
    lowest = min(int(batch.sequence.min()) for batch in evidence.numbered() if batch.sequence.size)
    missed = lowest - evidence.dialect.first
    if missed <= MISSED:
        return passed(FIRST, f"the first packet that came is #{lowest:,}", {"first": lowest})
    lines = [
        f"expected: at most {MISSED} lost at the beginning",
        f"happened: the first packet that came is #{lowest:,}",
        *evidence.counters,
    ]
    return failed(FIRST, f"the first {count(missed, 'packet')} were lost", {"first": lowest}, lines)
