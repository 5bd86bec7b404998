"""How many packets, and which: `count`, `sequence-bounds` and `duplicates`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import count, hexdump

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence, Packet

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
        title = f"the highest sequence number is {highest:,}, below {low:,} (N - 1)"
        first = evidence.dialect.first
        meaning = f"{low + 1 - first:,} different numbers, counted from {first}, reach at least {low:,}."
        beyond, total = _from(evidence, highest)[0][:1], 1
    else:
        beyond, total = _from(evidence, high + 1)
        title = f"the highest sequence number is {highest:,}, above {high:,} (2 N)"
        meaning = f"{count(total, 'packet')} above it: over half were lost, or numbers changed on the way."
    packets = evidence.packets(beyond)
    lines = [meaning, *evidence.listed(packets, total), *evidence.counters, *evidence.caveats]
    return title, [*lines, *(packets[0].shown(_number_bytes(packets[0])) if packets else [])]


def _from(evidence: Evidence, least: int) -> tuple[list[int], int]:
    """The first few frames whose sequence number is that or a higher one, and how many there are."""
    first: list[int] = []
    total = 0
    for batch in evidence.numbered():
        found = batch.frame[batch.sequence >= least]
        first, total = [*first, *found[: 5 - len(first)].tolist()], total + found.size
    return first, total


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
    numbers = {"duplicates": observed.repeated, "packets": observed.numbered}
    if not observed.repeated:
        return passed("duplicates", f"no sequence number twice among {packets}", numbers)
    verb = "carries" if observed.repeated == 1 else "carry"
    title = f"{observed.repeated:,} of {packets} {verb} a sequence number seen before"
    pairs = _pairs(evidence)
    return failed("duplicates", title, numbers, [*_listed(pairs), *evidence.caveats, *_compared(pairs)])


def _pairs(evidence: Evidence) -> list[tuple[Packet, Packet]]:
    """The first repeated packets, each behind the first one of its number."""
    repeats = evidence.observed.repeats
    bearers = _bearers(evidence, {repeat.number for repeat in repeats})
    frames = [(bearers[repeat.number], repeat.frame) for repeat in repeats if repeat.number in bearers]
    found = {packet.frame: packet for packet in evidence.packets({one for pair in frames for one in pair})}
    return [(found[early], found[late]) for early, late in frames if {early, late} <= found.keys()]


def _bearers(evidence: Evidence, numbers: set[int]) -> dict[int, int]:
    """The first frame that carries each of some sequence numbers."""
    found: dict[int, int] = {}
    for batch in evidence.numbered():
        for number in numbers - found.keys():
            same = batch.sequence == number
            if same.any():
                found[number] = int(batch.frame[same.argmax()])
        if len(found) == len(numbers):
            break
    return found


def _listed(pairs: list[tuple[Packet, Packet]]) -> list[str]:
    lines = []
    for early, late in pairs:
        frames = f"frame {early.frame:,} and frame {late.frame:,}"
        lines.append(f"#{late.sequence:,} at {frames} ({late.seconds - early.seconds:.6f} s later)")
    return [f"{'' if at else 'first:':<6} {line}" for at, line in enumerate(lines)]


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
)
