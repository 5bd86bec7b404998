"""How many packets, and which: `count`, `sequence-bounds` and `duplicates`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules import causes
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import count, hexdump

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence, Packet

LOOKED_AT = 4096
"""Numbers out of bounds that a guess at the cause is made from."""
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
    others = f"{count(observed.foreign, 'other frame')} in the capture."
    lines = [f"{title}; {others}"] if observed.foreign else []
    return failed("count", title, numbers, [*lines, *evidence.counters, *evidence.caveats])


def judge_bounds(evidence: Evidence) -> Finding:
    """See `BOUNDS`."""
    highest, expected = evidence.observed.highest, evidence.expected
    if (cause := evidence.unnumbered) or highest is None:
        return skipped("sequence-bounds", cause)
    found = ""
    if expected is None:
        expected, found = evidence.observed.udp, "; N is the number of packets found"
    first = evidence.dialect.first
    low, high = first + expected - 1, first + 2 * expected
    numbers = {"highest": highest, "lower_bound": low, "upper_bound": high}
    if low <= highest <= high:
        title = f"the highest sequence number is {highest:,}, within {low:,} to {high:,}{found}"
        return passed("sequence-bounds", title, numbers)
    title, lines = _out_of_bounds(evidence, highest, low, high)
    return failed("sequence-bounds", title + found, numbers, lines)


def _out_of_bounds(evidence: Evidence, highest: int, low: int, high: int) -> tuple[str, list[str]]:
    if highest < low:
        first = evidence.dialect.first
        title = f"the highest sequence number is {highest:,}, below {low:,} (N - 1)"
        meaning = f"{low + 1 - first:,} different numbers, counted from {first}, reach at least {low:,}."
        frames, total = [bearer.frame for bearer in evidence.bearers([highest]).values()], 1
        guesses = []
    else:
        frames, numbers, total = _from(evidence, high + 1)
        title = f"the highest sequence number is {highest:,}, above {high:,} (2 N)"
        meaning = f"{count(total, 'packet')} above it: over half were lost, or numbers changed on the way."
        guesses = causes.lines(_out_of_hand(evidence, numbers, high))
    packets = evidence.packets(frames)
    lines = [
        meaning,
        *(["first:"] if highest > high else []),
        *evidence.listed(packets, total),
        *guesses,
        *evidence.counters,
        *evidence.caveats,
    ]
    return title, [*lines, *(packets[0].shown(_number_bytes(packets[0])) if packets else [])]


def _out_of_hand(evidence: Evidence, numbers: list[int], high: int) -> str:
    """A guess at why numbers are too large."""
    width = evidence.dialect.number.width if evidence.dialect.number else 0
    swapped = causes.swapped_number(numbers, width, evidence.dialect.first, high)
    return swapped or causes.jumping_number(numbers)


def _from(evidence: Evidence, least: int) -> tuple[list[int], list[int], int]:
    """The first few frames whose sequence number is that or higher, the first numbers, how many there are."""
    frames: list[int] = []
    numbers: list[int] = []
    total = 0
    for batch in evidence.numbered():
        beyond = batch.sequence >= least
        frames += batch.frame[beyond][: 5 - len(frames)].tolist()
        numbers += batch.sequence[beyond][: LOOKED_AT - len(numbers)].tolist()
        total += int(beyond.sum())
    return frames, numbers, total


def _number_bytes(packet: Packet) -> range:
    from pytest_ixy.dialect import UDP_AT
    from pytest_ixy.rules.kernel.dissect import dissect_one

    number = packet.dialect.number
    moved = int(dissect_one(packet.data, packet.dialect).udp_at[0]) - UDP_AT
    return range(number.at + moved, number.at + moved + number.width) if number else range(0)


def judge_duplicates(evidence: Evidence) -> Finding:
    """See `DUPLICATES`."""
    observed = evidence.observed
    if cause := evidence.unnumbered:
        return skipped("duplicates", cause)
    packets = count(observed.numbered, "packet")
    numbers = {
        "duplicates": observed.repeated,
        "packets": observed.numbered,
        "replicated_numbers": observed.replicated,
        "fraction": observed.repeated / (observed.numbered - observed.repeated),
    }
    if not observed.repeated:
        return passed("duplicates", f"no sequence number twice among {packets}", numbers)
    verb = "carries" if observed.repeated == 1 else "carry"
    title = f"{observed.repeated:,} of {packets} {verb} a sequence number seen before"
    pairs = _pairs(evidence)
    lines = [
        *_listed(pairs, observed.repeated),
        *causes.lines(_block(evidence, pairs)),
        *evidence.caveats,
        *_compared(pairs),
    ]
    return failed("duplicates", title, numbers, lines)


def _block(evidence: Evidence, pairs: list[tuple[Packet, Packet]]) -> str:
    """A guess at what was repeated."""
    observed = evidence.observed
    if observed.seen.turned:
        return ""
    first = [causes.Again(late.sequence or 0, early.frame, late.frame) for early, late in pairs]
    return causes.repeated_block(observed.seen.again(), observed.repeated, first)


def _pairs(evidence: Evidence) -> list[tuple[Packet, Packet]]:
    """The first repeated packets, each behind the first one of its number."""
    repeats = evidence.observed.repeats
    bearers = evidence.bearers({repeat.number for repeat in repeats})
    frames = [(bearers[repeat.number].frame, repeat.frame) for repeat in repeats if repeat.number in bearers]
    found = {packet.frame: packet for packet in evidence.packets({one for pair in frames for one in pair})}
    return [(found[early], found[late]) for early, late in frames if {early, late} <= found.keys()]


def _listed(pairs: list[tuple[Packet, Packet]], total: int) -> list[str]:
    lines = []
    for early, late in pairs:
        frames = f"frame {early.frame:,} and frame {late.frame:,}"
        lines.append(f"  #{late.sequence:,} at {frames} ({late.seconds - early.seconds:.6f} s later)")
    more = [f"  … {total - len(lines):,} more"] if total > len(lines) else []
    return ["first:", *lines, *more] if lines else []


def _compared(pairs: list[tuple[Packet, Packet]]) -> list[str]:
    """The first repeated packet with the bytes marked in which it differs from the one before."""
    return _difference(*pairs[0]) if pairs else []


def _difference(early: Packet, late: Packet) -> list[str]:
    longest = range(max(len(early.data), len(late.data)))
    marked = {at for at in longest if early.data[at : at + 1] != late.data[at : at + 1]}
    if not marked:
        return [f"frame {late.frame:,} is the same as frame {early.frame:,}, byte for byte", *late.shown()]
    first = [f"frame {early.frame:,}, which came first:", *(f"  {line}" for line in hexdump(early.data))]
    return [*late.shown(marked), *first]


COUNT = Rule(
    "count",
    "Exactly N UDP packets were captured, N being the number asked for. Other frames do not count.",
    judge_count,
)

BOUNDS = Rule(
    "sequence-bounds",
    "The highest sequence number lies between N - 1 and 2 N. Numbers are counted from 0 (in some dialects "
    "from 1, which moves both bounds), and at most about half of the packets may get lost on the way. Where "
    "N is not known, it is the number of packets found. Packets without the dialect's structure have no "
    "number.",
    judge_bounds,
)

DUPLICATES = Rule(
    "duplicates",
    "No sequence number comes twice, however far apart. Packets without the dialect's structure have "
    "no number.",
    judge_duplicates,
    formula="duplicates = packets - |came|, fraction = duplicates / |came| (duplication fraction of "
    "RFC 5560); replicated_numbers: numbers that came more than once (the replicated packets of RFC 5560)",
)
