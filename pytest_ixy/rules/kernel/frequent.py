"""The most frequent of many values, in bounded memory whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOM = 1024


class Frequent:
    """Counts values. Up to `ROOM` different ones are counted exactly.

    With more, the rarest are forgotten, and the counts of the others may be too low by `short` at most;
    a value that makes up more than one of `ROOM` of all is never forgotten (Misra and Gries, 1982).
    """

    def __init__(self) -> None:
        self.short = 0
        self._values = np.empty(0, dtype=np.uint64)
        self._counts = np.empty(0, dtype=np.int64)

    def add(self, values: NDArray[np.uint64]) -> None:
        """Count some more."""
        found, counts = np.unique(values, return_counts=True)
        both = np.concatenate((self._values, found))
        self._values, place = np.unique(both, return_inverse=True)
        self._counts = _sums(place, np.concatenate((self._counts, counts)), self._values.size)
        if self._values.size > ROOM:
            self._forget()

    def _forget(self) -> None:
        """Take as much from all counts as leaves nothing of all but `ROOM`."""
        much = int(np.partition(self._counts, -ROOM - 1)[-ROOM - 1])
        kept = self._counts > much
        self._values, self._counts = self._values[kept], self._counts[kept] - much
        self.short += much

    def most(self, number: int) -> dict[int, int]:
        """The most frequent values and how often they came, or at least came; those first."""
        order = np.lexsort((self._values, -self._counts))[:number]
        return dict(zip(self._values[order].tolist(), self._counts[order].tolist(), strict=True))


def _sums(place: NDArray[Any], counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, place, counts)
    return sums
