"""Sequence numbers as the rules see them, without a capture around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.rules.kernel.numbered import Numbered


@dataclass(frozen=True)
class Glimpsed:
    """Some consecutive packets; frames are counted from 1, and come every microsecond."""

    sequence: NDArray[np.uint32]
    start: int

    def take(self, places: NDArray[np.int64]) -> Numbered:
        frames = places + self.start + 1
        return Numbered(self.sequence[places], frames, (frames - 1) / 1e6)


def glimpsed(numbers: Sequence[int] | NDArray[np.int64], size: int) -> Iterator[Glimpsed]:
    """Numbers in batches of that size."""
    column = np.asarray(numbers).astype(np.uint32)
    for start in range(0, column.size, size):
        yield Glimpsed(column[start : start + size], start)
