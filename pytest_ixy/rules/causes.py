"""Guesses at causes: from plain data to a sentence, or to nothing where the evidence is thin.

Each guess wants so many cases that chance would hardly ever make them look alike: where packets are lost
or changed each by itself, whatever the odds, less than one guess in ten million trials is wrong.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.rules.kernel.bursts import Bursts

PERIODS, LENGTHS, STARTS = 16, 8, 8
"""The fewest bursts that show a period, one length, or one remainder of their beginnings."""
CLASS_BURSTS = 128
"""The smaller the divisor, the more beginnings need to agree: divisor times bursts is at least this."""
SHORTEST = 4
"""Shorter bursts are often of one length by chance."""
BLOCK = 16
"""The fewest consecutive numbers that show that a block was repeated."""
FRAMES = 3
"""The fewest frames that show that bytes are shifted."""
SWAPPED, BITS = 5, 24
"""The fewest numbers that show that bytes are swapped, and how unlikely it must be: one in 2**BITS."""
STEPS, JUMPS = 16, 8
"""The fewest steps of one size, and the fewest jumps among others."""
RING = 16
"""No ring or batch is smaller; nor is a jump."""


@dataclass(frozen=True)
class Again:
    """A packet whose number came before: the number, the frame of the first such packet, and its own."""

    number: int
    early: int
    late: int


def lines(*sentences: str) -> list[str]:
    """Those guesses that were made, for a message."""
    return [f"cause? {sentence}" for sentence in sentences if sentence]


def nearly_all(some: int, of: int) -> bool:
    """At least 90 %."""
    return 10 * some >= 9 * of


def regular_loss(bursts: Bursts) -> str:
    """What lost packets have in common: the most telling of three patterns."""
    return _period(bursts) or _one_length(bursts) or _one_class(bursts)


def _period(bursts: Bursts) -> str:
    distance, times = bursts.distance
    if bursts.count < PERIODS or not nearly_all(times, bursts.count - 1):
        return ""
    if bursts.total == bursts.count:
        return f"one packet in {distance:,} is lost, again and again: the border of a batch or ring?"
    return f"every {distance:,} numbers some are lost: the border of a batch or ring?"


def _one_length(bursts: Bursts) -> str:
    length, times = bursts.lengths[0] if bursts.lengths else (0, 0)
    if bursts.count < LENGTHS or length < SHORTEST or not nearly_all(times, bursts.count):
        return ""
    return f"{length:,} packets are lost each time{_ring(length)}"


def _one_class(bursts: Bursts) -> str:
    found = ""
    for divisor, remainder, times in bursts.classes:
        enough = bursts.count >= max(STARTS, CLASS_BURSTS // divisor)
        if enough and nearly_all(times, bursts.count):
            found = f"loss begins at multiples of {divisor:,}" + (f" plus {remainder:,}" if remainder else "")
            found += ": the border of a batch or ring?"
    return found


def _ring(size: int) -> str:
    """The end of a sentence with a number that could be the size of a ring, maybe less the one kept free."""
    likely = size >= RING and (size & (size - 1) == 0 or size & (size + 1) == 0)
    return ": the size of a ring or batch?" if likely else ""


def repeated_block(runs: Bursts, repeated: int, first: Sequence[Again]) -> str:
    """Whether a block of consecutive numbers came again, as a whole and in its order.

    Args:
        runs: The numbers that came more than once.
        repeated: How many packets had them besides the first of each.
        first: The first few of those.
    """
    size, times = runs.lengths[0] if runs.lengths else (0, 0)
    distances = {one.late - one.early for one in first}
    steps = {(after.number - before.number, after.late - before.late) for before, after in pairwise(first)}
    if size < BLOCK or repeated != runs.total or not nearly_all(times, runs.count) or len(distances) != 1:
        return ""
    if steps == {(1, 2)} and distances == {1}:
        return f"{size:,} consecutive packets came twice, one right behind the other: sent or captured twice?"
    if steps != {(1, 1)}:
        return ""
    block = f"a block of {size:,} consecutive packets came again, {count(distances.pop(), 'frame')} later"
    return f"{block}{f' ({times:,} times)' if times > 1 else ''}: a ring was read again?"


def swapped_number(numbers: Sequence[int], width: int, low: int, high: int) -> str:
    """Whether numbers out of bounds would be within if their bytes stood the other way round."""
    turned = [int.from_bytes(number.to_bytes(width, "little"), "big") for number in numbers]
    if len(numbers) < SWAPPED or not all(low <= number <= high for number in turned):
        return ""
    if len(numbers) * (8 * width - high.bit_length()) < BITS:
        return ""
    return "the number's bytes are swapped (the other way round, all numbers looked at are within the bounds)"


def jumping_number(numbers: Sequence[int]) -> str:
    """Whether numbers, in the order of the capture, rise by the same again and again."""
    steps = Counter(after - before for before, after in pairwise(numbers))
    if (found := _usual(steps, STEPS)) > 1:
        return f"the number rises by {found:,} from packet to packet{_ring(found)}"
    jumps = Counter({step: times for step, times in steps.items() if step != 1})
    if (found := _usual(jumps, JUMPS)) >= RING:
        return f"the number jumps by {found:,} again and again{_ring(found)}"
    return ""


def _usual(values: Counter[int], least: int) -> int:
    """The value of nearly all; 0 where there is none, or too few are known."""
    value, times = next(iter(values.most_common(1)), (0, 0))
    return value if values.total() >= least and nearly_all(times, values.total()) else 0


def shifted_bytes(frames: Sequence[tuple[bytes, int]], magic: bytes) -> str:
    """Whether the payload's start stands elsewhere, and in all frames by the same distance.

    Args:
        frames: Bytes of each, and where its payload should start.
        magic: What it should start with; nothing is said of one shorter than three bytes.
    """
    if len(frames) < FRAMES or len(magic) < 3:  # noqa: PLR2004 (bytes)
        return ""
    if any(magic not in data for data, _ in frames):
        return ""
    shifts = {data.index(magic) - at for data, at in frames}
    if len(shifts) != 1 or shifts == {0}:
        return ""
    shift = shifts.pop()
    where = f"{count(abs(shift), 'byte')} {'later' if shift > 0 else 'earlier'} than it should"
    return f"the payload starts {where} in all packets looked at: are its bytes shifted?"


def check_sequence(frames: Sequence[bytes], size: int) -> str:
    """Whether frames are four bytes longer than `size` because the frame check sequence was left on."""
    if not frames or any(len(data) != size + 4 for data in frames):
        return ""
    if any(zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:] for data in frames):
        return ""
    return "the last four bytes are the frame check sequence: they should not be captured or sent along"
