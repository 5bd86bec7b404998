"""How a stream begins: what came first, and whether anything is missing from there on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.recovery import TOLERANCE, WAITING, Stretch, stream
from pytest_ixy.rules.finding import Finding, failed, passed
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.rules import Evidence

UNBROKEN, FIRST = "unbroken", "first"
MISSED = 16
"""Packets at the beginning that may be lost: more than a device that was asleep may drop."""


def judge_unbroken(evidence: Evidence) -> Finding:
    """Whether a capture that began in mid-stream has all packets from there on."""
    if cause := evidence.unnumbered:
        return failed(UNBROKEN, f"there is no stream: {cause}", {}, evidence.counters)
    start = _start(evidence)
    found = stream(evidence, start, start).after
    numbers = {"first": found.lowest, "missing": found.missing(), "waited": start}
    begins = f"the stream begins with #{found.lowest:,}, behind {count(start, 'packet')} that had waited"
    if found.share() <= TOLERANCE:
        return passed(UNBROKEN, f"{begins}, and goes on to #{found.highest:,}", numbers)
    title = f"{found.missing():,} packets are missing ({found.share():.1%}) after pcap began in mid-stream"
    expected = f"expected: at most {TOLERANCE:.0%} missing up to #{found.highest:,}"
    return failed(UNBROKEN, title, numbers, [begins, expected, *evidence.counters])


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
    """Whether the first packet that came is the first that was sent, or nearly, and few are missing."""
    if cause := evidence.unnumbered:
        return failed(FIRST, f"there is no stream: {cause}", {}, evidence.counters)
    found = Stretch()
    for batch in evidence.numbered():
        found.add(batch)
    first = evidence.dialect.first
    missed, share = found.lowest - first, found.share(first)
    numbers = {"first": found.lowest, "missing": found.missing(first)}
    if missed <= MISSED and share <= TOLERANCE:
        return passed(FIRST, f"the first packet that came is #{found.lowest:,}", numbers)
    title = f"{count(missed, 'packet')} were lost at the beginning, {found.missing(first):,} in all"
    expected = f"expected: at most {MISSED} at the beginning, {TOLERANCE:.0%} in all"
    return failed(FIRST, title, numbers, [expected, *evidence.counters])
