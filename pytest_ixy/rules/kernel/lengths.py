"""How long frames are: cut ones, and packets of the wrong size."""

from __future__ import annotations

import numpy as np

from pytest_ixy.capture import Column, Frames
from pytest_ixy.rules.kernel.dissect import Mask
from pytest_ixy.rules.kernel.offenders import Sieve
from pytest_ixy.rules.kernel.sight import Sight


class Lengths:
    """Watches the lengths that the records tell.

    Attributes:
        shortened: Frames that the snap length cut.
        contradictory: Frames captured longer than they claim to have been.
        wrong: UDP packets of another size than the dialect's.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.shortened = self.contradictory = 0
        self.wrong = Sieve()

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        block, plain = sight.block, sight.plain
        if plain is not None and plain.lengths == sight.layout.lengths:
            if plain.others.size:
                self._add(sight.close, sight.numbers, sight.found.udp)
        else:
            self._add(block.frames, np.arange(block.first, block.first + block.count), sight.udp)

    def _add(self, frames: Frames, numbers: Column, udp: Mask) -> None:
        captured, original = frames.captured, frames.original
        self.shortened += int(np.count_nonzero(captured < original))
        self.contradictory += int(np.count_nonzero(captured > original))
        sizes = np.maximum(captured, original)
        wrong = np.flatnonzero(udp & (sizes != self._size))
        if wrong.size:
            values, counts = np.unique(sizes[wrong], return_counts=True)
            kinds = zip(values.tolist(), counts.tolist(), strict=True)
            self.wrong.add(numbers[wrong], {f"{size:,} bytes": count for size, count in kinds})
