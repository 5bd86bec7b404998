"""What one pass over a capture shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Block, CaptureFlaw, Column, Flaw, Frames, blocks
from pytest_ixy.rules.dissect import Dissection, Mask, dissect
from pytest_ixy.rules.numbered import numbered
from pytest_ixy.rules.plain import Plain
from pytest_ixy.rules.seen import FEW, Repeat, Seen

FRAME_SIZE = 60
"""Bytes of ixy's packet without the frame check sequence, which captures do not hold."""

WHOLE = (FRAME_SIZE, FRAME_SIZE)


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
        numbered: Packets with ixy's structure, which have a sequence number; `numbered()` has each.
        highest: The highest sequence number, None when there is none.
        repeated: Packets whose sequence number came before, at whatever distance.
        repeats: The first few of those.
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
    numbered: int
    highest: int | None
    repeated: int
    repeats: tuple[Repeat, ...]
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
    while tally.seen.left_out:  # numbers as no generator makes them, all over 2**32
        tally.seen.turn()
        for batch in numbered(path):
            tally.seen.add(batch.sequence, batch.frame.__getitem__)
    return tally.observed(flaw)


class _Sieve:
    """Collects offenders while the blocks go by."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[int] = []
        self.kinds: Counter[str] = Counter()

    def add(self, numbers: Column, kinds: Mapping[str, int]) -> None:
        """Add frames by their numbers."""
        self.total += numbers.size
        self.kinds.update(kinds)
        self.first += numbers[: FEW - len(self.first)].tolist()

    def offenders(self) -> Offenders:
        return Offenders(self.total, tuple(self.first), dict(self.kinds.most_common(FEW)))


class _Tally:
    """Sums up blocks into an `Observed`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.begin: int | None = None
        self.end = 0
        self.seen = Seen()
        self.size, self.structure = _Sieve(), _Sieve()

    def add(self, block: Block) -> None:
        self.begin = block.ends[0] if self.begin is None else self.begin
        self.end = block.ends[1]
        self.counts["frames"] += block.count
        plain = Plain.of(block.rows) if block.rows else None
        if plain is None:
            self._add_closely(block)
        else:
            self._add_plain(block, plain)

    def _add_closely(self, block: Block) -> None:
        """Look at every frame."""
        numbers, found = np.arange(block.first, block.first + block.count), dissect(block.frames)
        self._add_structure(block.frames, numbers, found)
        self._add_lengths(block.frames, numbers, found.udp)
        numbered = np.flatnonzero(found.numbered)
        self._add_sequence(found.sequence[numbered].astype(np.uint32), lambda: numbers[numbered])

    def _add_plain(self, block: Block, plain: Plain) -> None:
        """The same where most frames are plain: only the others are looked at."""
        self.counts["udp"] += plain.sequence.size
        sequence, which, others = plain.sequence, None, plain.others
        udp = np.ones(block.count, dtype=np.bool_) if plain.lengths != WHOLE else None
        if others.size:
            frames, numbers = block.look(others), others + block.first
            found = dissect(frames)
            self._add_structure(frames, numbers, found)
            if found.numbered.any():
                sequence, which = _merged(plain, found)
            if udp is None:
                self._add_lengths(frames, numbers, found.udp)
            else:
                udp[others] = found.udp
        if udp is not None:
            self._add_lengths(block.frames, np.arange(block.first, block.first + block.count), udp)
        self._add_sequence(sequence, lambda: (plain.which if which is None else which) + block.first)

    def _add_sequence(self, sequence: NDArray[np.uint32], frames: Callable[[], Column]) -> None:
        """Add sequence numbers; `frames` makes their frame numbers, which hardly anybody asks for."""
        if sequence.size:
            self.counts["numbered"] += sequence.size
            self.seen.add(sequence, lambda places: frames()[places])

    def _add_lengths(self, frames: Frames, numbers: Column, udp: Mask) -> None:
        captured, original = frames.captured, frames.original
        self.counts["shortened"] += int(np.count_nonzero(captured < original))
        self.counts["contradictory"] += int(np.count_nonzero(captured > original))
        sizes = np.maximum(captured, original)
        wrong = np.flatnonzero(udp & (sizes != FRAME_SIZE))
        if wrong.size:
            values, counts = np.unique(sizes[wrong], return_counts=True)
            kinds = zip(values.tolist(), counts.tolist(), strict=True)
            self.size.add(numbers[wrong], {f"{size:,} bytes": count for size, count in kinds})

    def _add_structure(self, frames: Frames, numbers: Column, found: Dissection) -> None:
        self.counts["udp"] += int(np.count_nonzero(found.udp))
        cut = frames.captured < np.minimum(frames.original, found.udp_at + 11)
        length = found.udp & ~found.right_length
        magic = found.udp & found.right_length & ~found.magic & ~cut
        wrong = np.flatnonzero(length | magic | found.unreadable)
        if wrong.size:
            kinds = {
                "with a UDP length other than 26": int(np.count_nonzero(length)),
                "with a payload that does not start with 'ixy'": int(np.count_nonzero(magic)),
                "whose headers cannot be parsed": int(np.count_nonzero(found.unreadable)),
            }
            self.structure.add(numbers[wrong], {kind: number for kind, number in kinds.items() if number})

    def observed(self, flaw: CaptureFlaw | None) -> Observed:
        frames, udp = self.counts["frames"], self.counts["udp"]
        return Observed(
            flaw=flaw,
            frames=frames,
            udp=udp,
            foreign=frames - udp,
            shortened=self.counts["shortened"],
            contradictory=self.counts["contradictory"],
            seconds=(self.end - (self.begin or 0)) / 1e9,
            numbered=self.counts["numbered"],
            highest=self.seen.highest,
            repeated=self.seen.repeated,
            repeats=self.seen.first,
            size=self.size.offenders(),
            structure=self.structure.offenders(),
        )


def _merged(plain: Plain, found: Dissection) -> tuple[NDArray[np.uint32], Column]:
    """Sequence numbers of plain frames and of the numbered ones among the others, and their rows."""
    every = np.empty(plain.sequence.size + plain.others.size, dtype=np.uint32)
    numbered = np.ones(every.size, dtype=np.bool_)
    numbered[plain.others] = False
    every[numbered] = plain.sequence
    every[plain.others] = found.sequence
    numbered[plain.others] = found.numbered
    return every[numbered], np.flatnonzero(numbered)
