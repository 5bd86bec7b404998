"""What wrong bytes tell about the forwarder: whether it touched what it should, as often as it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ixy.dialect import Dialect, Template, Touch
    from pytest_ixy.rules.kernel.template import Place

UNTOUCHED = "as pktgen sent it: the forwarder did not touch it"
OFTEN = {2: "touched twice", 3: "touched three times"}


def touched_places(dialect: Dialect) -> set[int]:
    """The bytes that the forwarder changes, as offsets in the frame."""
    return {at for touch in dialect.touched for at in touch.places}


def meanings(dialect: Dialect, at: int) -> dict[int, str]:
    """What some wrong values of a byte mean."""
    right = dialect.arriving[at]
    found: dict[int, str] = {}
    for times, words in {0: UNTOUCHED, **OFTEN}.items():
        value = _touched(dialect, times)[at]
        if value is not None and value != right and at in touched_places(dialect):
            found.setdefault(value, words)
    return found


def _touched(dialect: Dialect, times: int) -> Template:
    """The frame after the forwarder had it so many times."""
    found = dialect.sent
    for touch in dialect.touched * times:
        found = touch.applied(found)
    return found


def causes(dialect: Dialect, places: tuple[Place, ...]) -> Iterator[str]:
    """Guesses at what the forwarder does instead, as lines."""
    wrong = {place.at: place for place in places}
    for touch in dialect.touched:
        missed = next((wrong[at] for at in touch.places if _means(dialect, wrong, at, UNTOUCHED)), None)
        elsewhere = _elsewhere(dialect, touch, missed, wrong) if missed else []
        if elsewhere:
            there = ", ".join(str(at) for at in elsewhere)
            yield f"cause? the forwarder adds {touch.add} to byte {there} instead of {touch.words}"
        elif missed:
            yield f"cause? the forwarder leaves out {touch.words}, or packets come to pcap past it"
        elif any(_means(dialect, wrong, at, words) for at in touch.places for words in OFTEN.values()):
            yield f"cause? packets pass the forwarder again and again, or it does more than {touch.words}"


def _means(dialect: Dialect, wrong: dict[int, Place], at: int, words: str) -> bool:
    """Whether the most frequent wrong value of that byte means that."""
    if at not in wrong:
        return False
    return meanings(dialect, at).get(next(iter(wrong[at].values))) == words


def _elsewhere(dialect: Dialect, touch: Touch, missed: Place, wrong: dict[int, Place]) -> list[int]:
    """Bytes that have grown by as much as the missed one should have, and in as many packets."""
    if touch.add is None:
        return []
    many = next(iter(missed.values.values()))
    others = {at: dialect.arriving[at] for at in wrong.keys() - touched_places(dialect)}
    grown = {at: (right + touch.add) % 256 for at, right in others.items() if right is not None}
    return sorted(at for at, value in grown.items() if wrong[at].values.get(value) == many)
