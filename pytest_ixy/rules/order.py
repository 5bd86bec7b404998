"""Packets behind others that were sent later: `order`, by RFC 4737 and RFC 5236."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.disorder import bound, disorder
from pytest_ixy.rules.finding import Finding, Number, failed, passed, skipped
from pytest_ixy.rules.rule import Option, Rule, Severity
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.kernel.patterns import Patterns
    from pytest_ixy.rules.kernel.reordering import Reordering

MAX_RATIO = Option("max_ratio", 0.0, "The share of packets that may be out of order.", maximum=1)
MAX_EXTENT = Option("max_extent", 0, "By how many places packets may be late.")
BAR = 40
SOME = 8
"""Packets out of order from which a pattern is told, rather than an accident."""


def judge_order(evidence: Evidence) -> Finding:
    """See `ORDER`."""
    if cause := evidence.unnumbered:
        return skipped("order", cause)
    highest = bound(evidence)
    if evidence.observed.deepest_fall == 0 and (evidence.observed.highest or 0) <= highest:
        return _in_order(evidence.observed.numbered - evidence.observed.repeated, 0)
    found = evidence.once(disorder).reordering
    if not found.packets:
        return skipped("order", f"no packet has a number up to {highest:,}")
    if not found.reordered:
        return _in_order(found.packets, found.left_out)
    return _out_of_order(evidence, found)


def _in_order(packets: int, left_out: int) -> Finding:
    numbers: dict[str, Number] = {
        "reordered": 0, "ratio": 0.0, "max_extent": 0, "mean_extent": 0.0, "packets": packets,
        "density_early": 0.0, "density_late": 0.0, "density_beyond": 0.0, "left_out": left_out,
    }  # fmt: skip
    return passed("order", f"{count(packets, 'packet')} in ascending order", numbers)


def _out_of_order(evidence: Evidence, found: Reordering) -> Finding:
    numbers, terms = _numbers(found), evidence.terms("order")
    least = "" if found.density is not None else "at least "
    title = (
        f"{least}{found.reordered:,} of {count(found.packets, 'packet')} out of order, "
        f"by up to {least}{count(found.max_extent, 'place')}"
    )
    lines = [*_listed(found), *_left_out(found), *_density(found), *_causes(found), *evidence.caveats]
    ratio = found.reordered / found.packets
    if ratio <= MAX_RATIO.of(terms) or found.max_extent <= MAX_EXTENT.of(terms):
        return passed("order", f"{title}: within the bounds", numbers, lines)
    return failed("order", title, numbers, lines)


def _numbers(found: Reordering) -> dict[str, Number]:
    numbers: dict[str, Number] = {
        "reordered": found.reordered,
        "ratio": found.reordered / found.packets,
        "max_extent": found.max_extent,
        "mean_extent": found.extents / found.reordered,
        "packets": found.packets,
        "left_out": found.left_out,
    }
    if found.density is None:
        return numbers
    density, middle = found.density.tolist(), found.density.size // 2
    shares = {
        "density_early": sum(density[:middle]) / found.packets,
        "density_late": sum(density[middle + 1 :]) / found.packets,
        "density_beyond": (density[0] + density[-1]) / found.packets,
    }
    return numbers | shares


def _listed(found: Reordering) -> list[str]:
    """The first few late packets, and how many more there are."""
    least = "" if found.density is not None else "at least "
    lines = [
        f"  frame {one.frame:,}, {one.seconds:.6f} s, #{one.number:,}: "
        f"{least}{count(extent, 'place')} behind the first with a higher number"
        for one, extent in ((late.packet, late.extent) for late in found.first)
    ]
    more = found.reordered - len(lines)
    return ["first:", *lines, *([f"  … {more:,} more"] if more > 0 else [])]


def _left_out(found: Reordering) -> list[str]:
    what = f"{count(found.left_out, 'packet')} left out: numbers above sequence-bounds' upper bound"
    return [what] if found.left_out else []


def _density(found: Reordering) -> list[str]:
    """RFC 5236's reorder density as bars."""
    if found.density is None:
        return ["note: numbers are too high for exact extents; these are lower bounds"]
    density, far = found.density.tolist(), found.density.size // 2
    names = [f"< {1 - far}", *(f"{at:+}" if at else "0" for at in range(1 - far, far)), f"> {far - 1}"]
    lines = ["places from the right one (early < 0 < late), and packets:"]
    for name, packets in zip(names, density, strict=True):
        if packets:
            bar = "#" * max(1, packets * BAR // max(density))
            lines.append(f"  {name:>4} {packets:>12,} {packets / found.packets:>7.2%} {bar}")
    return lines


def _causes(found: Reordering) -> list[str]:
    if found.patterns is None:
        return []
    cause = _backwards(found.reordered, found.patterns) or _late(found, found.patterns)
    return [f"cause? {cause}"] if cause else []


def _backwards(reordered: int, seen: Patterns) -> str:
    """Runs in reverse order, if these are nine of ten packets that are out of order."""
    if _nearly(seen.batches * (seen.batch - 1), reordered):
        if seen.batch == 2:  # noqa: PLR2004
            return f"neighbours are swapped: {count(seen.batches, 'pair')}"
        batches = "a batch" if seen.batches == 1 else f"{seen.batches:,} batches"
        return f"{batches} of {seen.batch:,} packets in reverse order: a ring or a batch is read backwards"
    if _nearly(seen.backwards, reordered):
        return f"runs of up to {seen.longest:,} packets in reverse order: a ring or a batch is read backwards"
    return ""


def _late(found: Reordering, seen: Patterns) -> str:
    """What nine of ten of many late packets have in common."""
    if found.reordered < SOME or found.density is None:
        return ""
    if _nearly(seen.delayed, found.packets):
        return f"{count(seen.delay, 'packet')} in front are not of this numbering: see the rule `fresh`"
    if _nearly(seen.delayed, found.reordered):
        return f"packets come {count(seen.delay, 'place')} late: they are held back, or batches change places"
    behind = int(found.density[found.density.size // 2 + 1 :].sum())
    if _nearly(behind, found.reordered) and seen.breaks * 10 <= found.reordered:
        return "late packets are in order among themselves: two queues or threads, one behind the other"
    return ""


def _nearly(some: int, every: int) -> bool:
    return some * 10 >= every * 9


ORDER = Rule(
    "order",
    "No packet comes behind one with a higher number. Of repeated packets the first one counts; numbers "
    "above the upper bound of `sequence-bounds` are left out. The extent of a late packet is how many places "
    "it comes behind the first one with a higher number. Broken where both bounds are exceeded.",
    judge_order,
    Severity("report", providers={"qemu": "fail"}),
    (MAX_RATIO, MAX_EXTENT),
    formula="RFC 4737: s[i] is reordered when s[i] < max(s[1..i-1]), its extent is i - min{j: s[j] > s[i]}. "
    "RFC 5236: displacement is the place of arrival minus the place in ascending order, both without gaps.",
)
