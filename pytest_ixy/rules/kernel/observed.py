"""What one pass over a capture shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.capture import Block, CaptureFlaw, Flaw, Growing, blocks
from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.clock import Clock
from pytest_ixy.rules.kernel.falls import Falls, consecutive
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.lengths import Lengths
from pytest_ixy.rules.kernel.numbered import numbered
from pytest_ixy.rules.kernel.offenders import Offenders
from pytest_ixy.rules.kernel.seen import Repeat, Seen
from pytest_ixy.rules.kernel.shape import Shape
from pytest_ixy.rules.kernel.sight import Sight
from pytest_ixy.rules.kernel.strangers import Foreign, Strangers
from pytest_ixy.rules.kernel.sums import Checksums, Sums
from pytest_ixy.rules.kernel.template import Content, Deviations


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
        numbered: Packets with the dialect's structure, which have a sequence number; `numbered()` has each.
        highest: The highest sequence number, None when there is none.
        repeated: Packets whose sequence number came before, at whatever distance.
        repeats: The first few of those.
        deepest_fall: The furthest that a number lies below the one before it; 0 where none does.
        replicated: Different sequence numbers that came more than once.
        seen: Which sequence numbers came.
        size: UDP packets whose frame does not have the dialect's size.
        structure: UDP packets without the dialect's structure, and frames that cannot be parsed.
        clock: The times of all frames.
        strangers: Frames that can be parsed and are not UDP.
        payload: Packets of the dialect that are not as its template has them, and where.
        checksums: UDP packets with a wrong checksum.
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
    deepest_fall: int
    replicated: int
    seen: Seen
    size: Offenders
    structure: Offenders
    clock: Clock
    strangers: Foreign
    payload: Deviations
    checksums: Checksums


def observe(path: Path | Growing | None, dialect: Dialect) -> Observed:
    """Read the whole capture (None: the trial left none) once; never raises for what stands in it.

    Raises:
        GivenUpError, OSError: a growing one came to nothing, or cannot be read.
    """
    tally, flaw = _Tally(dialect), None
    try:
        if path is None:
            raise CaptureFlaw(Flaw.MISSING, "there is no capture: pcap left none")  # noqa: TRY301
        for block in blocks(path):
            tally.add(block)
    except CaptureFlaw as found:
        flaw = found
    while tally.seen.left_out:  # numbers as no generator makes them, all over 2**32
        tally.seen.turn()
        for batch in numbered(path, dialect):
            tally.seen.add(batch.sequence, batch.frame.__getitem__)
    return tally.observed(flaw)


class _Tally:
    """Shows each block to all who watch, and sums up what they saw."""

    def __init__(self, dialect: Dialect) -> None:
        self._layout = Layout(dialect)
        self._frames = self._numbered = 0
        self._begin: int | None = None
        self._end = 0
        self.seen, self._falls = Seen(), Falls()
        self._lengths, self._shape = Lengths(dialect.size), Shape(dialect)
        self._clock, self._strangers = Clock(), Strangers()
        self._content, self._sums = Content(self._layout), Sums()

    def add(self, block: Block) -> None:
        self._begin = block.ends[0] if self._begin is None else self._begin
        self._end = block.ends[1]
        self._frames += block.count
        sight = Sight(block, self._layout)
        self._shape.add(sight)
        self._lengths.add(sight)
        self._clock.add(sight)
        self._strangers.add(sight)
        self._content.add(sight)
        self._sums.add(sight)
        self._numbered += sight.sequence.size
        rising = consecutive(sight.sequence)
        self.seen.add(sight.sequence, sight.frames_of, consecutive=rising)
        self._falls.add(sight.sequence, consecutive=rising)

    def observed(self, flaw: CaptureFlaw | None) -> Observed:
        return Observed(
            flaw=flaw,
            frames=self._frames,
            udp=self._shape.udp,
            foreign=self._frames - self._shape.udp,
            shortened=self._lengths.shortened,
            contradictory=self._lengths.contradictory,
            seconds=(self._end - (self._begin or 0)) / 1e9,
            numbered=self._numbered,
            highest=self.seen.highest,
            repeated=self.seen.repeated,
            repeats=self.seen.first,
            deepest_fall=self._falls.deepest,
            replicated=self.seen.replicated,
            seen=self.seen,
            size=self._lengths.wrong.offenders(),
            structure=self._shape.wrong.offenders(),
            clock=self._clock,
            strangers=self._strangers.foreign(),
            payload=self._content.deviations(),
            checksums=self._sums.checksums(),
        )
