"""Where packets are in the plane of time and sequence number, in memory that their number does not change.

The scale of the numbers is known before the first packet. That of time is not: foreign frames come long
before and after, and times jump. When a packet comes from beyond the grid, columns are joined two by two
until it fits, so that at least half of them are in use in the end.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 2048, 512
"""One or two cells for each unit of the plot that is drawn of it."""
ABOVE = ROWS
"""The row of numbers beyond the scale."""
SHORTEST = 1e-8
"""Seconds that a column has at least: any time of a capture divided by it is a 64-bit number."""

Numbers: TypeAlias = NDArray[np.uint32]
Times: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]


class Raster:
    """A grid whose cells tell whether a packet is in them.

    Args:
        bottom, top: The lowest and the highest number on the scale; lower ones are taken for the lowest.
    """

    def __init__(self, bottom: int, top: float) -> None:
        self.bottom, self.top = bottom, top
        self._rate = ROWS / (math.floor(top) - bottom + 1)
        self._width, self._first = SHORTEST, 0
        self._blank()

    def _blank(self) -> None:
        self._cells = np.zeros((COLUMNS, ROWS + 1), dtype=np.bool_)
        self._lowest = np.full(COLUMNS, np.iinfo(np.uint32).max, dtype=np.uint32)
        self._highest = np.zeros(COLUMNS, dtype=np.uint32)

    def add(self, time: Times, sequence: Numbers) -> None:
        """Mark the cells of some packets; times are in seconds."""
        if not time.size:
            return
        self._fit(float(time.min()), float(time.max()))
        columns = np.floor(time / self._width).astype(np.int64) - self._first
        self._cells.reshape(-1)[columns * (ROWS + 1) + self._rows(sequence)] = True
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        np.minimum.at(self._lowest, columns[starts], np.minimum.reduceat(sequence, starts))
        np.maximum.at(self._highest, columns[starts], np.maximum.reduceat(sequence, starts))

    def _rows(self, sequence: Numbers | Places) -> Places:
        rows = ((np.maximum(sequence, self.bottom) - self.bottom) * self._rate).astype(np.int64)
        rows[sequence > self.top] = ABOVE
        return rows

    def _fit(self, low: float, high: float) -> None:
        """Make the grid reach from one time to the other, and over all that it has."""
        ends = math.floor(low / self._width), math.floor(high / self._width)
        if self._first <= ends[0] and ends[1] < self._first + COLUMNS:
            return
        used = np.flatnonzero(self._cells.any(axis=1)) + self._first
        columns, width = [*ends, *used[[0, -1]].tolist()] if used.size else [*ends], self._width
        while max(columns) - min(columns) >= COLUMNS:
            columns, width = [column >> 1 for column in columns], width * 2
        self._move(used, width, min(columns))

    def _move(self, used: Places, width: float, first: int) -> None:
        """Make the grid anew, with wider columns and from another one on; `used` have packets."""
        cells, lowest, highest, before = self._cells, self._lowest, self._highest, self._first
        joined = used // round(width / self._width)
        self._blank()
        self._width, self._first = width, first
        for old, new in zip((used - before).tolist(), (joined - first).tolist(), strict=True):
            self._cells[new] |= cells[old]
            self._lowest[new] = min(self._lowest[new], lowest[old])
            self._highest[new] = max(self._highest[new], highest[old])

    def time(self, columns: Places) -> Times:
        """The time in the middle of columns."""
        return np.asarray((columns + self._first + 0.5) * self._width, dtype=np.float64)

    def came(self, numbers: Places) -> Places:
        """The first column in which each of some numbers, all of which came, can have come."""
        there = self._cells[:, self._rows(numbers)]
        there &= (self._lowest[:, None] <= numbers) & (numbers <= self._highest[:, None])
        return np.asarray(there.argmax(axis=0))

    @property
    def above(self) -> Times:
        """Times at which numbers beyond the scale came."""
        return self.time(np.flatnonzero(self._cells[:, ABOVE]))

    def runs(self, factor: int) -> tuple[Times, NDArray[Any], NDArray[Any]]:
        """Cells with a packet, joined where they touch in a column: time, lowest and highest number.

        Args:
            factor: So many cells are taken for one in both directions; a power of two.
        """
        rows = ROWS // factor
        cells = self._cells[:, :ROWS].reshape(-1, factor, rows, factor).any(axis=(1, 3))
        edges = np.diff(cells.astype(np.int8), axis=1, prepend=0, append=0)
        columns, starts = np.nonzero(edges == 1)
        ends = np.nonzero(edges == -1)[1] - 1
        middle = (factor - 1) / 2
        low, high = (self.bottom + (place * factor + middle + 0.5) / self._rate for place in (starts, ends))
        return self.time(columns * factor) + middle * self._width, low, high
