"""The packets with a sequence number, one by one: for those who need more than the sums of `observed`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import CaptureFlaw, Growing, blocks
from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.dissect import dissect


@dataclass(frozen=True, eq=False)
class Numbered:
    """Some consecutive packets with the dialect's structure.

    Attributes:
        sequence: Sequence number of each.
        frame: 1-based frame number of each.
        seconds: Time of each since the first frame of the capture.
    """

    sequence: NDArray[np.uint32]
    frame: NDArray[np.int64]
    seconds: NDArray[np.float64]


def numbered(path: Path | Growing | None, dialect: Dialect) -> Iterator[Numbered]:
    """All of a capture in its order, batch by batch, up to where it can be read."""
    begin = None
    try:
        for block in blocks(path) if path else ():
            begin = block.ends[0] if begin is None else begin
            found = dissect(block.frames, dialect)
            rows = np.flatnonzero(found.numbered)
            seconds = (block.frames.time[rows] - begin) / 1e9
            yield Numbered(found.sequence[rows], rows + block.first, seconds)
    except CaptureFlaw:
        pass  # the first pass has told
