"""When frames were captured: times that step back, that cannot be, and that were never set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from pytest_ixy.capture import CaptureFlaw, Column, Stamps, blocks
from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.dissect import Mask
from pytest_ixy.rules.kernel.sight import Sight

SET = 946_684_800_000_000_000
"""2000-01-01 in ns since 1970: a clock that tells an earlier time was never set."""


@dataclass
class Clock:
    """Watches the times of all frames.

    Attributes:
        frames: Frames that have a time.
        backwards: Those with an earlier time than the one before.
        furthest: The largest of these steps back in ns.
        out_of_range: Those whose fraction of a second is a second or more.
        unset: Those with the time 0.
        early: Those before the year 2000.
    """

    frames: int = 0
    backwards: int = 0
    furthest: int = 0
    out_of_range: int = 0
    unset: int = 0
    early: int = 0
    _last: int | None = field(default=None, repr=False)

    @property
    def all_unset(self) -> bool:
        """True when several frames have a time, and all of them 0."""
        return 1 < self.frames == self.unset

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        block = sight.block
        first, last = block.ends
        if first >= SET and block.times.steady() and (self._last is None or first >= self._last):
            self.frames += block.count
            self._last = last
        else:
            self._add(block.times.stamps())

    def _add(self, stamps: Stamps) -> None:
        time = stamps.time[stamps.timed]
        back = _back(time, self._last)
        self.frames += time.size
        self.backwards += int(np.count_nonzero(back))
        self.furthest = max(self.furthest, _furthest(time, back, self._last))
        self.out_of_range += int(np.count_nonzero(stamps.wild[stamps.timed]))
        self.unset += int(np.count_nonzero(time == 0))
        self.early += int(np.count_nonzero(time < SET))
        self._last = int(time[-1]) if time.size else self._last


def _back(time: Column, last: int | None) -> Mask:
    """The times that are earlier than the one before; `last` is the one before the first."""
    return np.asarray(time < _before(time, last))


def _before(time: Column, last: int | None) -> Column:
    first = time[:1] if last is None else np.full(min(1, time.size), last)
    return np.concatenate((first, time[:-1]))


def _furthest(time: Column, back: Mask, last: int | None) -> int:
    # times that are nonsense may be further apart than a signed number can tell
    steps = _before(time, last)[back].view(np.uint64) - time[back].view(np.uint64)
    return int(steps.max(initial=0))


@dataclass(frozen=True)
class Mistimed:
    """A frame with a time that is wrong: its number, the time in ns since 1970, and what is wrong.

    `back` is how many ns it is earlier than the one before (0: it is not), `wild` and `early` are as in
    `Clock`.
    """

    frame: int
    time: int
    back: int
    wild: bool
    early: bool


def mistimed(path: Path | None) -> tuple[Mistimed, ...]:
    """The first few such frames, in a pass of its own."""
    return tuple(islice(_mistimed(path), FEW))


def _mistimed(path: Path | None) -> Iterator[Mistimed]:
    last = None
    try:
        for block in blocks(path) if path else ():
            stamps = block.times.stamps()
            rows = np.flatnonzero(stamps.timed)
            time, wild = stamps.time[rows], stamps.wild[rows]
            before, old = _before(time, last), time < SET
            for row in np.flatnonzero((time < before) | wild | old).tolist():
                back = max(0, int(before[row]) - int(time[row]))
                number = int(rows[row]) + block.first
                yield Mistimed(number, int(time[row]), back, bool(wild[row]), bool(old[row]))
            last = int(time[-1]) if time.size else last
    except CaptureFlaw:
        pass  # the first pass has told
