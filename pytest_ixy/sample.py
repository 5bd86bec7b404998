"""Some packets of a capture, however long it is: its beginning, and runs from all over the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Block, CaptureFlaw, blocks
from pytest_ixy.dialect import FIXED

HEAD, RUN, RUNS = 10_000, 200, 64
"""Frames at the beginning; frames of a run; at most so many runs."""


@dataclass(frozen=True, eq=False)
class Sample:
    """UDP packets over IPv4 without options, one row each.

    Attributes:
        frames: How many frames were looked at, whatever they are.
        data: Their first bytes; zeros behind what was captured.
        captured, original: Bytes that were captured, and that were on the wire.
        follows: Rows of which the row above is the packet before it in the capture.
    """

    frames: int
    data: NDArray[np.uint8]
    captured: NDArray[np.int64]
    original: NDArray[np.int64]
    follows: NDArray[np.bool_]

    @property
    def packets(self) -> int:
        """How many there are."""
        return len(self.data)


def sample(capture: Path, width: int) -> Sample:
    """Take a sample with that many bytes of each frame; CaptureFlaw when not a single frame can be read."""
    head, runs, left = list[Sample](), _Spread(), HEAD
    try:
        for block in blocks(capture):
            top = min(block.count, left)
            left -= top
            if top:
                head.append(_piece(block, slice(0, top), width))
            if top < block.count:
                runs.add(_piece(block, slice(max(top, block.count - RUN), block.count), width))
    except CaptureFlaw:
        if not head:
            raise
    return _joined([*head, *runs.kept], width)


class _Spread:
    """Keeps the last piece that it was given, and at most `RUNS` evenly spread ones of those before."""

    def __init__(self) -> None:
        self._kept: list[Sample] = []
        self._last: list[Sample] = []
        self._given, self._step = 0, 1

    def add(self, piece: Sample) -> None:
        """Take one more."""
        if self._last and self._given % self._step == 0:
            self._kept += self._last
        if len(self._kept) > RUNS:
            self._kept, self._step = self._kept[::2], self._step * 2
        self._last, self._given = [piece], self._given + 1

    @property
    def kept(self) -> list[Sample]:
        """Those that were kept, in order."""
        return self._kept + self._last


def _piece(block: Block, rows: slice, width: int) -> Sample:
    """The packets among consecutive frames of a block, copied."""
    frames = block.look(rows)
    data = frames.values("u1")[frames.start[:, None] + np.arange(width)]
    data[np.arange(width) >= frames.captured[:, None]] = 0
    udp = np.logical_and.reduce([data[:, at] == byte for at, byte in FIXED.items()])
    follows = np.ones(np.count_nonzero(udp), np.bool_)
    follows[:1] = False
    return Sample(len(udp), data[udp], frames.captured[udp], frames.original[udp], follows)


def _joined(pieces: list[Sample], width: int) -> Sample:
    nothing = np.empty(0, np.int64)
    pieces = [Sample(0, np.empty((0, width), np.uint8), nothing, nothing, nothing != 0), *pieces]
    columns = ("data", "captured", "original", "follows")
    joined = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in columns}
    return Sample(sum(piece.frames for piece in pieces), **joined)
