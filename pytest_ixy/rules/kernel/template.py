"""Which bytes of the dialect's packets are not as its template has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pytest_ixy.capture import Bytes, Column, Frames, varying
from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.dissect import Mask
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.offenders import Offenders, Part, Sieve
from pytest_ixy.rules.kernel.plain import Plain
from pytest_ixy.rules.kernel.sight import Sight

TOGETHER = 1 << 20
"""Bytes of frames that are laid side by side at a time."""


@dataclass(frozen=True)
class Place:
    """A byte of the frame that is wrong somewhere.

    Attributes:
        at: Its offset in the frame.
        packets: In how many packets it is wrong.
        values: The most frequent wrong values, and how many packets have each.
        kinds: How many different wrong values there are.
    """

    at: int
    packets: int
    values: Mapping[int, int]
    kinds: int


@dataclass(frozen=True)
class Deviations:
    """Packets of the dialect, those that are not as its template has them, and the bytes that are wrong."""

    packets: int
    wrong: Offenders
    places: tuple[Place, ...]


class Content:
    """Watches each byte that the template tells, in the dialect's packets.

    What is kept is one number for each value of each byte, however many packets there are.
    """

    def __init__(self, layout: Layout) -> None:
        template = layout.dialect.arriving
        self._values = np.array([byte or 0 for byte in template], dtype=np.uint8)
        self._fixed = np.array([0 if byte is None else 0xFF for byte in template], dtype=np.uint8)
        self._open = self._fixed.copy()  # those that plain packets may have wrong
        self._open[[at for at, value in layout.expected.items() if template[at : at + 1] == (value,)]] = 0
        self._counts = np.zeros((len(template), 256), dtype=np.int64)
        self._packets = 0
        self._wrong = Sieve()

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        self._wrong.add_parts([*self._plain(sight), *self._close(sight)])

    def deviations(self) -> Deviations:
        """What was seen."""
        places = np.flatnonzero(self._counts.any(axis=1)).tolist()
        return Deviations(self._packets, self._wrong.offenders(), tuple(map(self._place, places)))

    def _place(self, at: int) -> Place:
        counts = self._counts[at]
        most = np.argsort(-counts, kind="stable")[:FEW].tolist()
        values = {value: int(counts[value]) for value in most if counts[value]}
        return Place(at, int(counts.sum()), values, int(np.count_nonzero(counts)))

    def _plain(self, sight: Sight) -> list[Part]:
        """The plain packets, if any of them is wrong."""
        plain, first = sight.plain, sight.block.first
        if plain is None:
            return []
        if self._longer(plain):
            return self._frames(sight.block.look(plain.which), plain.which + first)
        self._packets += plain.count
        if not self._suspects(plain.rows.data, plain.rows.varying, self._open).size:
            return []
        rows = plain.alone
        wrong = self._differing(rows.data, rows.varying, self._open)
        return [] if wrong is None else [Part(wrong, lambda few: rows.which[few] + first)]

    def _longer(self, plain: Plain) -> bool:
        """Whether bytes that the template tells stand behind those that lie side by side."""
        width, lengths = plain.rows.data.shape[1], plain.rows.lengths
        return width < self._values.size and (lengths is None or lengths[0] > width)

    def _close(self, sight: Sight) -> list[Part]:
        """The same of the packets among the frames that need a closer look."""
        if not sight.numbers.size:
            return []
        shaped = np.flatnonzero(sight.found.shaped)
        return self._frames(sight.close.take(shaped), sight.numbers[shaped]) if shaped.size else []

    def _frames(self, frames: Frames, numbers: Column) -> list[Part]:
        found, step = [], TOGETHER // self._values.size
        for start in range(0, numbers.size, step):
            part = slice(start, start + step)
            rows = self._side_by_side(frames.take(part))
            self._packets += len(rows)
            wrong = self._differing(rows, varying(rows), self._fixed)
            found += [] if wrong is None else [Part(wrong, numbers[part].__getitem__)]
        return found

    def _side_by_side(self, frames: Frames) -> Bytes:
        """Copies of the frames; bytes that were not captured are taken to be right."""
        size = self._values.size
        rows = frames.values(f"V{size}")[frames.start].view(np.uint8).reshape(-1, size)
        if np.count_nonzero(frames.captured < size):
            np.copyto(rows, self._values, where=np.arange(size) >= frames.captured[:, np.newaxis])
        return rows

    def _suspects(self, rows: Bytes, bits: Bytes, told: Bytes) -> Column:
        """The bytes among those that are told which are not right in all rows."""
        width = min(rows.shape[1], told.size)
        return np.flatnonzero((rows[0, :width] ^ self._values[:width] | bits[:width]) & told[:width])

    def _differing(self, rows: Bytes, bits: Bytes, told: Bytes) -> Mask | None:
        """The rows that differ from the template, None when none does; counts what they hold."""
        suspects = self._suspects(rows, bits, told).tolist()
        if not suspects:
            return None
        wrong = np.zeros(len(rows), dtype=np.bool_)
        for place in suspects:
            if not bits[place]:  # the same wrong value in all of them
                self._counts[place, rows[0, place]] += len(rows)
                wrong[:] = True
            else:
                wrong |= self._column(rows[:, place], place)
        return wrong

    def _column(self, column: Bytes, place: int) -> Mask:
        """The rows that are wrong there."""
        wrong = np.asarray(column != self._values[place])
        self._counts[place] += np.bincount(column[wrong], minlength=256)
        return wrong
