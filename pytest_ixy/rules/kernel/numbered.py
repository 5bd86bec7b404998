"""The packets with a sequence number, one by one: for those who need more than the sums of `observed`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import CaptureFlaw, Column, Growing, blocks
from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.sight import Sight


class One(NamedTuple):
    """One packet: its sequence number, frame number, and time since the first frame."""

    number: int
    frame: int
    seconds: float


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

    def each(self) -> list[One]:
        """One by one; few, please."""
        columns = (self.sequence.tolist(), self.frame.tolist(), self.seconds.tolist())
        return [One(*one) for one in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class Glimpse:
    """The same, for those who want little but numbers: frames and times are made for a few, if at all.

    It shows a buffer that is overwritten when the next one is asked for.

    Attributes:
        sight: The block of the capture.
        begin: When the first frame of the capture was captured, in ns since 1970.
    """

    sight: Sight
    begin: int

    @property
    def sequence(self) -> NDArray[np.uint32]:
        """Sequence number of each packet."""
        return self.sight.sequence

    def take(self, places: Column) -> Numbered:
        """The packets at some places of `sequence`, to keep."""
        block, frames = self.sight.block, self.sight.frames_of(places)
        seconds = (block.look(frames - block.first).time - self.begin) / 1e9
        return Numbered(self.sequence[places], frames, seconds)


def numbered(path: Path | Growing | None, dialect: Dialect) -> Iterator[Numbered]:
    """All of a capture in its order, batch by batch, up to where it can be read."""
    for glimpse in glimpses(path, dialect):
        yield glimpse.take(np.arange(glimpse.sequence.size))


def glimpses(path: Path | Growing | None, dialect: Dialect) -> Iterator[Glimpse]:
    """The same as glimpses, which takes a fraction of the time."""
    begin, layout = None, Layout(dialect)
    try:
        for block in blocks(path) if path else ():
            begin = block.ends[0] if begin is None else begin
            yield Glimpse(Sight(block, layout), begin)
    except CaptureFlaw:
        pass  # the first pass has told
