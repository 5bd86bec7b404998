"""Which packets are missing, and how they are spread: `loss`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules import causes, placement
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Option, Rule, Severity
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.finding import Number
    from pytest_ixy.rules.kernel.bearers import Bearer
    from pytest_ixy.rules.kernel.bursts import Bursts
    from pytest_ixy.rules.placement import Placement

LARGEST = 2**32 - 1
SPREAD = "the sequence numbers are spread so far that no map of the missing ones was made"

MAX_RATIO = Option("max_ratio", 0.5, "The largest share of numbers that may be lost.", maximum=1)
MAX_BURST = Option("max_burst", 0, "The most packets that may be lost in a row; 0 for any number.")


def judge_loss(evidence: Evidence) -> Finding:
    """See `LOSS`."""
    if cause := evidence.unnumbered:
        return skipped("loss", cause)
    low = evidence.dialect.first
    high = min(low + 2 * (evidence.expected or evidence.observed.udp), LARGEST)
    seen = evidence.seen(low, high)
    if seen is None:
        return skipped("loss", SPREAD)
    top = seen.top(low, high)
    if top is None:
        return skipped("loss", f"no packet has a number between {low:,} and {high:,}")
    return _judged(evidence, seen.missing(low, top), low, top)


def _judged(evidence: Evidence, bursts: Bursts, low: int, top: int) -> Finding:
    span = top + 1 - low
    numbers = _numbers(bursts, span)
    if not bursts.total:
        return passed("loss", f"no number between {low:,} and {top:,} is missing", numbers)
    placed = _placed(evidence, bursts, span)
    if placed is not None:
        numbers |= {"lost_at": placed.at}
    share = f"{bursts.total:,} of {count(span, 'number')} ({bursts.total / span:.2%})"
    how = f"in {count(bursts.count, 'burst')}, the longest of {_longest(bursts):,}"
    at = "" if placed is None or placed.at == placement.UNTOLD else f"; lost at {placed.at}"
    title = f"{share} {'is' if bursts.total == 1 else 'are'} missing, {how}{at}"
    guess = causes.regular_loss(bursts)
    problems = _problems(evidence, bursts, span)
    where = placed.lines if placed else []
    lines = [*problems, *causes.lines(guess), *where, *_map(bursts), *_gaps(evidence, bursts, low)]
    if not problems and not guess:
        return passed("loss", title, numbers, [*lines, *evidence.caveats])
    return failed("loss", title, numbers, [*lines, *evidence.counters, *evidence.caveats])


def _placed(evidence: Evidence, bursts: Bursts, span: int) -> Placement | None:
    """Where they were lost; None where nothing is missing, or nobody counted over time."""
    if evidence.way is None or not evidence.way.flows or not bursts.total:
        return None
    seen = evidence.observed
    return placement.place(evidence.way, placement.Lost(seen.frames, span, bursts.total, seen.repeated))


def _numbers(bursts: Bursts, span: int) -> dict[str, Number]:
    return {
        "lost": bursts.total,
        "ratio": bursts.total / span,
        "bursts": bursts.count,
        "longest": _longest(bursts),
        "mean_burst": bursts.total / bursts.count if bursts.count else 0.0,
        "noticeable": bursts.near / bursts.total if bursts.total else 0.0,
    }


def _longest(bursts: Bursts) -> int:
    return max((after - start for start, after in bursts.longest), default=0)


def _problems(evidence: Evidence, bursts: Bursts, span: int) -> list[str]:
    terms, found = evidence.terms("loss"), []
    ratio, burst = MAX_RATIO.of(terms), MAX_BURST.of(terms)
    if bursts.total / span > ratio:
        found.append(f"more than {ratio:.2%} are missing (max_ratio)")
    if 0 < burst < _longest(bursts):
        found.append(f"more than {burst:,.0f} in a row are missing (max_burst)")
    return found


def _map(bursts: Bursts) -> list[str]:
    """How many bursts have which length, as far as few lengths tell."""
    lines = [f"  {length:>9,}: {times:,}" for length, times in sorted(bursts.lengths)]
    others = bursts.count - sum(times for _, times in bursts.lengths)
    return ["missing in a row: how often", *lines, *([f"  {'others':>9}: {others:,}"] if others else [])]


def _gaps(evidence: Evidence, bursts: Bursts, low: int) -> list[str]:
    beside = {number for start, after in bursts.longest for number in (start - 1, after) if number >= low}
    found = evidence.bearers(beside)
    lines = [_gap(start, after, found) for start, after in bursts.longest]
    more = bursts.count - len(lines)
    return ["longest:", *lines, *([f"  … {more:,} more"] if more else [])]


def _gap(start: int, after: int, found: dict[int, Bearer]) -> str:
    missing = f"#{start:,}" if after == start + 1 else f"#{start:,} to #{after - 1:,} ({after - start:,})"
    beside = [
        f"#{number:,} is frame {found[number].frame:,} at {found[number].seconds:.6f} s"
        for number in (start - 1, after)
        if number in found
    ]
    return f"  {missing}: {', '.join(beside)}"


LOSS = Rule(
    "loss",
    "At most half of the sequence numbers below the highest one are missing, and in no pattern that tells "
    "of a fault. Such a pattern is a loss again and again after the same number of packets, of always as "
    "many, or always at multiples of a power of two. The finding has the map of what is missing, in what "
    "bursts (RFC 3357). What is lost behind the highest number cannot be seen. Numbers above the upper "
    "bound of `sequence-bounds` are left out. Where the networks counted over time, `lost_at` tells where "
    "most of them were lost: pktgen (it skipped numbers), pktgen-fwd and fwd-pcap (networks: a role did not "
    "take them in time), fwd, pcap, or that it cannot be told.",
    judge_loss,
    Severity("report"),
    (MAX_RATIO, MAX_BURST),
    "lost = |{first..top} - came|, ratio = lost / (top - first + 1), top = max(came <= first + 2 N); burst: "
    "loss period of RFC 3357; noticeable: share of losses at most 16 above the one before (Loss-Noticeable-"
    "Rate there). A pattern is that of at least 90 % of the bursts: one distance of beginnings (16 bursts at "
    "least), one length of at least 4 (8 bursts), or one remainder of the beginnings by a power of two k up "
    "to 4096 (8 bursts, and 128 / k)",
)
