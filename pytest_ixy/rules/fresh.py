"""Packets of an earlier trial in front of this one's: `fresh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.disorder import WINDOW, disorder, window
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.kernel.numbered import One
    from pytest_ixy.rules.kernel.restarts import Jump

SHOWN = 5


def judge_fresh(evidence: Evidence) -> Finding:
    """See `FRESH`."""
    if cause := evidence.unnumbered:
        return skipped("fresh", cause)
    found = _restarts(evidence)
    if found is None:
        return skipped("fresh", "sequence numbers jump about too often to tell")
    every, packets = evidence.observed.numbered, count(evidence.observed.numbered, "packet")
    stale = found[-1].ahead if found else 0
    numbers = {"restarts": len(found), "stale": stale, "packets": every}
    if not found:
        return passed("fresh", f"numbering never begins anew among {packets}", numbers)
    title = f"numbering begins anew {count(len(found), 'time')}, behind {stale:,} of {packets}"
    return failed("fresh", title, numbers, [*_listed(found), _cause(evidence, found), *evidence.caveats])


def _restarts(evidence: Evidence) -> list[Jump] | None:
    fell = evidence.observed.deepest_fall > window(evidence)
    return evidence.once(disorder).restarts if fell else []


def _listed(found: list[Jump]) -> list[str]:
    lines = []
    for jump in found[:SHOWN]:
        lines += [_shown(jump.before), f"{_shown(jump.after)}: anew, behind {count(jump.ahead, 'packet')}"]
    return [*lines, f"  … {len(found) - SHOWN:,} more"] if len(found) > SHOWN else lines


def _shown(one: One) -> str:
    return f"  frame {one.frame:,}, {one.seconds:.6f} s, #{one.number:,}"


def _cause(evidence: Evidence, found: list[Jump]) -> str:
    """What is in front counts from the start as well, or it is the rest of something."""
    first, highest = found[0], evidence.dialect.first + 2 * (evidence.expected or evidence.observed.udp)
    if first.before.number > highest:
        return "cause? numbers that nobody sent: see the rule `sequence-bounds`"
    if first.before.number - evidence.dialect.first < 2 * first.ahead:
        return "cause? pktgen counted from the start more than once: it was started twice, or starts anew"
    return "cause? frames of an earlier trial were left in rings or queues, and came out first"


FRESH = Rule(
    "fresh",
    "No packets of an earlier trial stand in front: sequence numbers never fall far and stay there. A number "
    "that falls by more than the window (4,096, or a quarter of N if that is less) begins anew, unless "
    "numbers come back to where they fell, or end. A packet that comes far too early or late is no restart.",
    judge_fresh,
    options=(WINDOW,),
    formula="s[i-1] - s[i] > W, where s[i] is not within W of where an earlier rise by more than W began, no "
    "later rise by more than W lands within W of s[i-1], and W packets follow, or as many as came before.",
)
