"""Stretches of equal bits, found in a bitmap without a look at each bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Words = NDArray[np.uint64]

PAGE = 15
"""A page of memory, 4 KiB, has the bits of 2**15 numbers."""
WORDS = 1 << (PAGE - 6)
AT_ONCE = 16
"""Pages that are looked at in one go: half a million bits, so 4 MiB of places at most."""


def stretches(
    bits: NDArray[np.uint8], used: NDArray[np.bool_], low: int, high: int, *, marked: bool
) -> Iterator[tuple[Places, Places]]:
    """Where the stretches of marked, or else of unmarked numbers begin, and what follows their ends.

    Words in which no stretch begins or ends are never unpacked, pages without a mark hardly looked at.

    Args:
        bits: One bit a number, lowest first.
        used: Which pages can have marks.
        low: The first number to look at.
        high: The last one.
        marked: Which kind of stretches.
    """
    words = bits.view(np.uint64).reshape(-1, WORDS)
    pages = _pages(used, low >> PAGE, high >> PAGE)
    before, begun = np.uint64(0), np.empty(0, np.int64)
    for at in range(0, pages.size, AT_ONCE):
        some = pages[at : at + AT_ONCE]
        rows = words[some] if marked else ~words[some]
        _cut(rows, some, low, high)
        changes = _changes(rows.ravel(), some, before)
        before = rows[-1, -1] >> np.uint64(63)
        if changes.size:
            changes = np.concatenate((begun, changes))
            whole = changes.size & ~1
            begun = changes[whole:]
            yield changes[:whole:2], changes[1:whole:2]
    if begun.size:  # up to the last number of a page
        yield begun, np.array([high + 1])


def _pages(used: NDArray[np.bool_], low: int, high: int) -> Places:
    """The pages with marks, each with the one behind it: that speaks for all empty ones that follow."""
    looked = used[low : high + 1].copy()
    looked[1:] |= used[low:high]
    looked[0] = looked[-1] = True
    return np.flatnonzero(looked) + low


def _cut(rows: Words, pages: Places, low: int, high: int) -> None:
    """Blank the bits outside of the bounds."""
    if pages[0] == low >> PAGE:
        word, bit = divmod(low & ((1 << PAGE) - 1), 64)
        rows[0, :word] = 0
        rows[0, word] &= np.uint64((1 << 64) - (1 << bit))
    if pages[-1] == high >> PAGE:
        word, bit = divmod(high & ((1 << PAGE) - 1), 64)
        rows[-1, word + 1 :] = 0
        rows[-1, word] &= np.uint64((2 << bit) - 1)


def _changes(words: Words, pages: Places, before: np.uint64) -> Places:
    """The numbers whose bits differ from the one before; `before` is the bit before the first."""
    if not before and not np.count_nonzero(words):
        return np.empty(0, np.int64)
    carried = np.empty_like(words)
    carried[0] = before
    carried[1:] = words[:-1] >> np.uint64(63)
    differ = words ^ (words << np.uint64(1) | carried)
    which = np.flatnonzero(differ)
    places = np.flatnonzero(np.unpackbits(differ[which].view(np.uint8), bitorder="little"))
    word = which[places >> 6]
    found: Places = (pages[word // WORDS] << PAGE) + (word % WORDS << 6) + (places & 63)
    return found
