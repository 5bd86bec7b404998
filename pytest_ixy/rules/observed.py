"""What one pass over a capture shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Block, CaptureFlaw, Flaw, blocks
from pytest_ixy.rules.dissect import Dissection, Mask, dissect

FRAME_SIZE = 60
"""Bytes of ixy's packet without the frame check sequence, which captures do not hold."""

FEW = 5


@dataclass(frozen=True)
class Offenders:
    """Frames that break a rule: how many, the numbers of the first few, and how many of which kind."""

    total: int
    first: tuple[int, ...]
    kinds: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Observed:
    """What one pass over a capture shows.

    Attributes:
        flaw: Why the capture could not be read to its end, None when it could.
        frames: All frames that were read.
        udp: UDP packets among them; ixy-ci counts these.
        foreign: Frames that are not UDP, which no rule of ixy-ci looks at.
        shortened: Frames that the snap length cut.
        contradictory: Frames captured longer than they claim to have been.
        seconds: Time from the first frame to the last.
        sequence, time, frame: Sequence number, seconds since the first frame and 1-based frame
            number of every packet with ixy's structure, in the order of the capture.
        size: UDP packets whose frame does not have 60 bytes.
        structure: UDP packets without ixy's structure, and frames that cannot be parsed.
    """

    flaw: CaptureFlaw | None
    frames: int
    udp: int
    foreign: int
    shortened: int
    contradictory: int
    seconds: float
    sequence: NDArray[np.uint32]
    time: NDArray[np.float64]
    frame: NDArray[np.int64]
    size: Offenders
    structure: Offenders


def observe(path: Path | None) -> Observed:
    """Read the whole capture (None: the trial left none) once; never raises for what stands in it."""
    tally, flaw = _Tally(), None
    try:
        if path is None:
            raise CaptureFlaw(Flaw.MISSING, "there is no capture: pcap left none")  # noqa: TRY301
        for block in blocks(path):
            tally.add(block)
    except CaptureFlaw as found:
        flaw = found
    return tally.observed(flaw)


class _Sieve:
    """Collects offenders while the blocks go by."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[int] = []
        self.kinds: Counter[str] = Counter()

    def add(self, block: Block, mask: Mask, kinds: Mapping[str, int]) -> None:
        self.total += int(mask.sum())
        self.kinds.update(kinds)
        if len(self.first) < FEW:
            rows = np.flatnonzero(mask)[: FEW - len(self.first)]
            self.first += (rows + block.first).tolist()

    def offenders(self) -> Offenders:
        return Offenders(self.total, tuple(self.first), dict(self.kinds.most_common(FEW)))


class _Tally:
    """Sums up blocks into an `Observed`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.begin = self.end = 0
        self.columns: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self.size, self.structure = _Sieve(), _Sieve()

    def add(self, block: Block) -> None:
        if not self.columns:
            self.begin = int(block.time[0])
        self.end = int(block.time[-1])
        found = dissect(block)
        self.counts.update(
            frames=block.count,
            udp=int(found.udp.sum()),
            shortened=int((block.captured < block.original).sum()),
            contradictory=int((block.captured > block.original).sum()),
        )
        self._add_numbered(block, found)
        self._add_sizes(block, found)
        self._add_structure(block, found)

    def _add_numbered(self, block: Block, found: Dissection) -> None:
        rows = np.flatnonzero(found.numbered)
        seconds = (block.time[rows] - self.begin) / 1e9
        self.columns.append((found.sequence[rows].astype(np.uint32), seconds, rows + block.first))

    def _add_sizes(self, block: Block, found: Dissection) -> None:
        sizes = np.maximum(block.captured, block.original)
        wrong = found.udp & (sizes != FRAME_SIZE)
        if wrong.any():
            values, counts = np.unique(sizes[wrong], return_counts=True)
            kinds = zip(values.tolist(), counts.tolist(), strict=True)
            self.size.add(block, wrong, {f"{size:,} bytes": count for size, count in kinds})

    def _add_structure(self, block: Block, found: Dissection) -> None:
        cut = block.captured < np.minimum(block.original, found.udp_at + 11)
        length = found.udp & ~found.right_length
        magic = found.udp & found.right_length & ~found.magic & ~cut
        kinds = {
            "with a UDP length other than 26": int(length.sum()),
            "with a payload that does not start with 'ixy'": int(magic.sum()),
            "whose headers cannot be parsed": int(found.unreadable.sum()),
        }
        wrong = length | magic | found.unreadable
        if wrong.any():
            self.structure.add(block, wrong, {kind: number for kind, number in kinds.items() if number})

    def observed(self, flaw: CaptureFlaw | None) -> Observed:
        empty: tuple[NDArray[Any], ...] = (np.empty(0, np.uint32), np.empty(0), np.empty(0, np.int64))
        sequence, time, frame = map(np.concatenate, zip(empty, *self.columns, strict=True))
        frames, udp = self.counts["frames"], self.counts["udp"]
        return Observed(
            flaw=flaw,
            frames=frames,
            udp=udp,
            foreign=frames - udp,
            shortened=self.counts["shortened"],
            contradictory=self.counts["contradictory"],
            seconds=(self.end - self.begin) / 1e9,
            sequence=sequence,
            time=time,
            frame=frame,
            size=self.size.offenders(),
            structure=self.structure.offenders(),
        )
