"""What some of the frames have in common that all others lack: size, kind, destination, place in line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from pytest_ixy.rules.words import count

TAGS = {0x8100, 0x88A8}
LENGTH = 0x600
"""Below it stands the length of what LLC carries, in place of a type."""
ROW = 3
"""So many make a row."""

Test = Callable[[int], bool]


def trait(frames: Sequence[bytes], chosen: Collection[int]) -> str:
    """Words that are true of the chosen frames and of no other; empty when none are found."""
    picked, numbers = set(chosen), range(len(frames))
    if not picked or len(picked) == len(frames):
        return "all of them" if picked else ""
    candidates = (*_by_size(frames, picked), *_by_kind(frames, picked), *_by_place(frames, picked))
    return next((words for words, test in candidates if {one for one in numbers if test(one)} == picked), "")


def _by_size(frames: Sequence[bytes], picked: set[int]) -> Iterator[tuple[str, Test]]:
    sizes = [len(frame) for frame in frames]
    low, high = min(sizes[one] for one in picked), max(sizes[one] for one in picked)
    if min(sizes) == max(sizes):
        return
    if low == high:
        yield f"every frame of {count(low, 'byte')}", lambda one: sizes[one] == low
    yield f"every frame of {count(low, 'byte')} and more", lambda one: sizes[one] >= low
    yield f"every frame of {count(high, 'byte')} and less", lambda one: sizes[one] <= high
    yield "every frame with an odd number of bytes", lambda one: sizes[one] % 2 == 1
    yield "every frame with an even number of bytes", lambda one: sizes[one] % 2 == 0
    yield f"every frame of {low:,} to {high:,} bytes", lambda one: low <= sizes[one] <= high


def _by_kind(frames: Sequence[bytes], picked: set[int]) -> Iterator[tuple[str, Test]]:
    for ask in (_tagging, _kind, _destination):
        answers = [ask(frame) for frame in frames]
        found = {answers[one] for one in picked}
        if len(set(answers)) > len(found):
            yield f"every frame {' or '.join(sorted(found))}", partial(_has, answers, found)


def _has(answers: Sequence[str], wanted: Collection[str], one: int) -> bool:
    return answers[one] in wanted


def _tagging(frame: bytes) -> str:
    tagged = int.from_bytes(frame[12:14], "big") in TAGS
    return "with a VLAN tag" if tagged else "without a VLAN tag"


def _kind(frame: bytes) -> str:
    at = 12
    while (kind := int.from_bytes(frame[at : at + 2], "big")) in TAGS:
        at += 4
    return f"of EtherType {kind:04x}" if kind >= LENGTH else "with a length in place of a type"


def _destination(frame: bytes) -> str:
    if frame[:6] == b"\xff" * 6:
        return "to everybody"
    return f"to the group {frame[:3].hex(':')}:…" if frame[0] & 1 else "to one station"


def _by_place(frames: Sequence[bytes], picked: set[int]) -> Iterator[tuple[str, Test]]:
    order = sorted(picked)
    first, last, step = order[0], order[-1], order[1] - order[0] if len(order) > 1 else 0
    if len(order) < ROW:
        return
    if first == 0:
        yield f"the first {last + 1:,}", lambda one: one <= last
    yield f"all from the {_th(first)} on", lambda one: one >= first
    yield f"a row, from the {_th(first)} to the {_th(last)}", lambda one: first <= one <= last
    if step > 1 and len(order) >= len(frames) // step:
        yield f"every {_th(step - 1)}, from the {_th(first)} on", lambda one: one % step == first % step


def _th(index: int) -> str:
    """The ordinal of an index that is counted from 0."""
    number = index + 1
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number:,}{ending}"
