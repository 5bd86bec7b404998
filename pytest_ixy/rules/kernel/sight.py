"""One block as the watchers see it: what is plain, and what was looked at closely."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Block, Column, Frames
from pytest_ixy.rules.kernel.dissect import Dissection, Mask, dissect
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.plain import Plain


class Sight:
    """A block, parted into plain frames, which are all alike, and the others.

    Attributes:
        block: The block.
        layout: What plain frames look like.
        plain: The plain frames; None where hardly any is, and all are looked at closely.
    """

    def __init__(self, block: Block, layout: Layout) -> None:
        self.block, self.layout = block, layout
        self.plain = Plain.of(block.rows, layout) if block.rows else None

    @cached_property
    def close(self) -> Frames:
        """The frames that need a closer look: all but the plain ones."""
        return self.block.frames if self.plain is None else self.block.look(self.plain.others)

    @cached_property
    def found(self) -> Dissection:
        """What the closer look has shown, row by row of `close`."""
        return dissect(self.close, self.layout.dialect)

    @cached_property
    def numbers(self) -> Column:
        """The frame number of each row of `close`, counted from 1."""
        rows = np.arange(self.block.count) if self.plain is None else self.plain.others
        return rows + self.block.first

    @cached_property
    def udp(self) -> Mask:
        """Which frames of the block carry UDP."""
        if self.plain is None:
            return self.found.udp
        udp = np.ones(self.block.count, dtype=np.bool_)
        if self.plain.others.size:
            udp[self.plain.others] = self.found.udp
        return udp

    @cached_property
    def sequence(self) -> NDArray[np.uint32]:
        """The sequence numbers of the block in capture order."""
        if self.plain is None:
            return self.found.sequence[self.found.numbered]
        if not self._mixed:
            return self.plain.sequence
        numbered, others = self.found.numbered, self.plain.others
        before = others - np.arange(others.size)  # so many plain frames
        return np.insert(self.plain.sequence, before[numbered], self.found.sequence[numbered])

    def frames_of(self, places: Column) -> Column:
        """The frame numbers of some of those packets, given their places in `sequence`."""
        if self.plain is None or self._mixed:
            return np.flatnonzero(self._numbered)[places] + self.block.first
        return (self.plain.which[places] if self.plain.others.size else places) + self.block.first

    @property
    def _mixed(self) -> bool:
        """True when there are plain frames, and numbered ones among the others."""
        some = self.plain is not None and self.plain.others.size and self.plain.sequence.size
        return bool(some) and bool(self.found.numbered.any())

    @cached_property
    def _numbered(self) -> Mask:
        if self.plain is None:
            return self.found.numbered
        numbered = np.ones(self.block.count, dtype=np.bool_)
        numbered[self.plain.others] = self.found.numbered
        return numbered
