"""Patterns of packets out of order that tell where they come from; ranks are places in the right order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]

LONGEST = 1 << 13
"""Runs and delays from here on are one kind: rings have up to 4,096 places."""


@dataclass(frozen=True)
class Patterns:
    """What packets out of order have in common.

    Attributes:
        batch: The length of runs in reverse order that most late packets stand in.
        batches: How many such runs there are.
        backwards: Packets that come right behind the one that should follow them.
        longest: The longest run of these, as packets.
        delay: How many places most late packets come behind their turn.
        delayed: How many packets come that late.
        breaks: Late packets that come behind a late one of a higher number.
    """

    batch: int
    batches: int
    backwards: int
    longest: int
    delay: int
    delayed: int
    breaks: int


class Watch:
    """Looks for patterns in packets shown in the order of the capture, each of them once."""

    def __init__(self) -> None:
        self._runs = np.zeros(LONGEST + 1, np.int64)
        self._delays = np.zeros(LONGEST + 1, np.int64)
        self._packets, self._start, self._backwards, self._longest, self._breaks = 0, 0, 0, 0, 0
        self._last, self._late = -1, -1

    def add(self, ranks: Ranks, late: Ranks, delay: Ranks) -> None:
        """Look at the next packets: their ranks, and of the late ones ranks and displacements."""
        starts = np.flatnonzero(_shifted(self._last, ranks) != ranks + 1)
        self._backwards += ranks.size - starts.size
        starts += self._packets
        self._end(np.diff(starts, prepend=self._start))
        self._start = int(starts[-1]) if starts.size else self._start
        self._packets, self._last = self._packets + ranks.size, int(ranks[-1])
        self._delays += _counted(delay)
        if late.size:
            self._breaks += int(np.count_nonzero(late < _shifted(self._late, late)))
            self._late = int(late[-1])

    def _end(self, lengths: Ranks) -> None:
        self._runs += _counted(lengths)
        self._longest = max(self._longest, int(lengths.max(initial=0)))

    def patterns(self) -> Patterns:
        """What was found, once all packets were shown."""
        self._end(np.array([self._packets - self._start]))
        batch = int((self._runs[2:LONGEST] * np.arange(1, LONGEST - 1)).argmax()) + 2
        delay = int(self._delays[1:LONGEST].argmax()) + 1
        return Patterns(
            batch=batch,
            batches=int(self._runs[batch]),
            backwards=self._backwards,
            longest=self._longest,
            delay=delay,
            delayed=int(self._delays[delay]),
            breaks=self._breaks,
        )


def _shifted(first: int, values: Ranks) -> Ranks:
    return np.concatenate((np.array([first]), values[:-1]))


def _counted(values: Ranks) -> Ranks:
    return np.bincount(values.clip(0, LONGEST), minlength=LONGEST + 1)
