"""Many frames side by side, and which of their bits are not the same in all of them.

One OR and one AND over all rows tell that, at the speed of memory: a bit that is in the OR and not in
the AND varies. Where none varies that a rule looks at, one frame speaks for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture.block import Column, Frames

WIDTH = 60
"""Bytes of each frame that are laid side by side: all of ixy's packet."""

TOGETHER = 64
"""Rows that are taken as one: vector units want long rows, and 64 rows are whole 64-bit words."""

NONE = np.empty(0, dtype=np.int64)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Rows:
    """Frames of a block side by side.

    Attributes:
        data: At least the first 60 bytes of each, one row per frame.
        varying: The bits that are not the same in all rows.
        others: Rows of the block (counted from 0) whose frames are not in `data`.
        lengths: Captured and original length of all of them; None where they differ.
    """

    data: Bytes
    varying: Bytes
    others: Column
    lengths: tuple[int, int] | None

    @classmethod
    def gather(cls, frames: Frames) -> Rows | None:
        """Copy the frames that are long enough; None when too few of them are."""
        long = frames.captured >= WIDTH
        if 2 * np.count_nonzero(long) <= long.size:
            return None
        others = NONE if long.all() else np.flatnonzero(~long)
        kept = frames.take(long) if others.size else frames
        data = frames.values(f"V{WIDTH}")[kept.start].view(np.uint8).reshape(-1, WIDTH)
        lengths = int(kept.captured[0]), int(kept.original[0])
        same = (kept.captured == lengths[0]).all() and (kept.original == lengths[1]).all()
        return cls(data, varying(data), others, lengths if same else None)

    @property
    def which(self) -> Column:
        """The row of the block that each frame in `data` is."""
        return np.delete(np.arange(len(self.data) + self.others.size), self.others)


def varying(rows: Bytes) -> Bytes:
    """The bits of a row that are not the same in all rows, which lie in memory without gaps."""
    count, width = rows.shape
    either = both = rows
    if count >= TOGETHER:
        whole, tail = rows[: count // TOGETHER * TOGETHER], rows[-TOGETHER:]  # they may overlap
        words = whole.reshape(-1).view(np.uint64).reshape(-1, width * TOGETHER // 8)
        either = np.bitwise_or.reduce(words, axis=0).view(np.uint8).reshape(TOGETHER, width) | tail
        both = np.bitwise_and.reduce(words, axis=0).view(np.uint8).reshape(TOGETHER, width) & tail
    return np.asarray(np.bitwise_or.reduce(either, axis=0) ^ np.bitwise_and.reduce(both, axis=0))
