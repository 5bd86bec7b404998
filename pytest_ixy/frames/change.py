"""In words, what became of a frame on its way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LISTED = 4
TOLD = 3


def ways(right: bytes, sent: bytes, came: bytes, places: Collection[int]) -> tuple[str, ...]:
    """What became of it: texts of which each is true, so that one may be found that fits many frames.

    Args:
        right: How it should have come.
        sent: How pktgen sent it.
        came: How it came.
        places: The bytes in which it differs from what is right.
    """
    if came == sent:
        return ("as pktgen sent it: the forwarder did not touch it",)
    wrong, less = sorted(places), len(right) - len(came)
    if wrong:
        return (_places(wrong) + _resized(less),)
    if less > 0:
        return (f"cut by {count(less, 'byte')}", f"cut to {count(len(came), 'byte')}")
    return (f"{count(-less, 'byte')} too long",)


def _places(wrong: Sequence[int]) -> str:
    if len(wrong) <= LISTED:
        places = ", ".join(str(at) for at in wrong)
        return f"byte {places} differs" if len(wrong) == 1 else f"bytes {places} differ"
    return f"{count(len(wrong), 'byte')} differ, from byte {wrong[0]} on"


def _resized(less: int) -> str:
    if less == 0:
        return ""
    return f", and {count(abs(less), 'byte')} are {'missing' if less > 0 else 'too many'}"


def summary(found: Sequence[tuple[str, ...]]) -> str:
    """The one text that fits all of them, else the most frequent ones with how many they fit."""
    counted = Counter(text for texts in found for text in texts)
    if (best := counted.most_common(1)) and best[0][1] == len(found):
        return best[0][0]
    firsts = Counter(texts[0] for texts in found).most_common(TOLD + 1)
    parts = [f"{text} ({times:,} times)" for text, times in firsts[:TOLD]]
    return "; ".join([*parts, *(["…"] if len(firsts) > TOLD else [])])
