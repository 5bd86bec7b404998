"""How many packets, and which: `count`, `sequence-bounds` and `duplicates`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, Rule, failed, passed, skipped
from pytest_ixy.rules.words import count, hexdump

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_ixy.rules.evidence import Evidence, Packet

NONE_NUMBERED = "no packet with ixy's structure was captured"
NO_NUMBER = "no number of packets was given (--packets N; with pytest: --ixy-packets=N)"


def judge_count(evidence: Evidence) -> Finding:
    """See `COUNT`."""
    if evidence.unreadable:
        return skipped("count", evidence.unreadable)
    observed, expected = evidence.observed, evidence.expected
    if expected is None:
        return skipped("count", NO_NUMBER)
    numbers = {"packets": observed.udp, "expected": expected, "foreign": observed.foreign}
    if observed.udp == expected:
        return passed("count", f"{count(expected, 'packet')} captured, as asked for", numbers)
    title = f"{count(observed.udp, 'packet')} captured, {expected:,} expected"
    lines = [f"{title}; {count(observed.foreign, 'frame')} in the capture are not UDP."]
    return failed("count", title, numbers, [*lines, *evidence.counters, *evidence.caveats])


def judge_bounds(evidence: Evidence) -> Finding:
    """See `BOUNDS`."""
    if cause := evidence.nothing or _unnumbered(evidence):
        return skipped("sequence-bounds", cause)
    sequence, expected = evidence.observed.sequence, evidence.expected
    found = ""
    if expected is None:
        expected, found = evidence.observed.udp, "; N is the number of packets found"
    highest, low, high = int(sequence.max()), expected - 1, 2 * expected
    numbers = {"highest": highest, "lower_bound": low, "upper_bound": high}
    if low <= highest <= high:
        title = f"the highest sequence number is {highest:,}, within {low:,} to {high:,}{found}"
        return passed("sequence-bounds", title, numbers)
    title, lines = _out_of_bounds(evidence, highest, low, high)
    return failed("sequence-bounds", title + found, numbers, lines)


def _out_of_bounds(evidence: Evidence, highest: int, low: int, high: int) -> tuple[str, list[str]]:
    sequence, frame = evidence.observed.sequence, evidence.observed.frame
    if highest < low:
        title = f"the highest sequence number is {highest:,}, below {low:,} (N - 1)"
        meaning = f"{low + 1:,} different numbers, counted from 0, reach at least {low:,}."
        beyond, total = frame[sequence == highest][:1], 1
    else:
        over = sequence > high
        total = int(over.sum())
        title = f"the highest sequence number is {highest:,}, above {high:,} (2 N)"
        meaning = f"{count(total, 'packet')} above it: over half were lost, or numbers changed on the way."
        beyond = frame[over][:5]
    packets = evidence.packets(beyond.tolist())
    lines = [meaning, *evidence.listed(packets, total), *evidence.counters, *evidence.caveats]
    return title, [*lines, *(packets[0].shown(_number_bytes(packets[0].data)) if packets else [])]


def _number_bytes(data: bytes) -> range:
    from pytest_ixy.rules.dissect import SEQUENCE_AT, dissect_one

    start = int(dissect_one(data).udp_at[0]) + SEQUENCE_AT
    return range(start, start + 4)


def judge_duplicates(evidence: Evidence) -> Finding:
    """See `DUPLICATES`."""
    if cause := evidence.nothing or _unnumbered(evidence):
        return skipped("duplicates", cause)
    total = int(evidence.observed.sequence.size)
    again, before = repeated(evidence.observed.sequence)
    numbers = {"duplicates": int(again.size), "packets": total}
    if not again.size:
        return passed("duplicates", f"no sequence number twice among {count(total, 'packet')}", numbers)
    verb = "carries" if again.size == 1 else "carry"
    title = f"{again.size:,} of {count(total, 'packet')} {verb} a sequence number seen before"
    lines = [*_pairs(evidence, again[:5], before[:5]), *evidence.caveats]
    return failed("duplicates", title, numbers, [*lines, *_compared(evidence, again, before)])


def repeated(sequence: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indexes of the packets whose number was seen before, in capture order, and of its first bearers.

    Sorting, and not a table indexed by number, because a hostile number reaches 2**32.
    """
    import numpy as np

    if bool((sequence[1:] > sequence[:-1]).all()):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    order = np.argsort(sequence, kind="stable")
    ordered = sequence[order]
    again = np.sort(order[1:][ordered[1:] == ordered[:-1]])
    return again, order[np.searchsorted(ordered, sequence[again])]


def _pairs(evidence: Evidence, again: NDArray[np.int64], before: NDArray[np.int64]) -> list[str]:
    observed, lines = evidence.observed, []
    for late, early in zip(again.tolist(), before.tolist(), strict=True):
        later = observed.time[late] - observed.time[early]
        frames = f"frame {observed.frame[early]:,} and frame {observed.frame[late]:,}"
        lines.append(f"#{observed.sequence[late]:,} at {frames} ({later:.6f} s later)")
    return [f"first: {lines[0]}", *(f"       {line}" for line in lines[1:])]


def _compared(evidence: Evidence, again: NDArray[np.int64], before: NDArray[np.int64]) -> list[str]:
    """The first repeated packet with the bytes marked in which it differs from the one before."""
    frames = evidence.observed.frame
    packets = evidence.packets([int(frames[before[0]]), int(frames[again[0]])])
    return _difference(*packets) if len(packets) == 2 else []  # noqa: PLR2004


def _difference(early: Packet, late: Packet) -> list[str]:
    longest = range(max(len(early.data), len(late.data)))
    marked = {at for at in longest if early.data[at : at + 1] != late.data[at : at + 1]}
    if not marked:
        return [f"frame {late.frame:,} is the same as frame {early.frame:,}, byte for byte", *late.shown()]
    first = [f"frame {early.frame:,}, which came first:", *(f"  {line}" for line in hexdump(early.data))]
    return [*late.shown(marked), *first]


def _unnumbered(evidence: Evidence) -> str:
    return "" if evidence.observed.sequence.size else NONE_NUMBERED


COUNT = Rule(
    "count",
    "Exactly N UDP packets were captured, N being the number asked for. Other frames do not count.",
    judge_count,
)

BOUNDS = Rule(
    "sequence-bounds",
    "The highest sequence number lies between N - 1 and 2 N: numbers are counted from 0, and at most about "
    "half of the packets may get lost on the way. Where N is not known, it is the number of packets found. "
    "Packets without ixy's structure have no number.",
    judge_bounds,
)

DUPLICATES = Rule(
    "duplicates",
    "No sequence number comes twice, however far apart. Packets without ixy's structure have no number.",
    judge_duplicates,
)
