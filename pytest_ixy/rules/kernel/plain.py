"""Blocks in which one packet speaks for all: packets of one kind right behind each other.

In a good capture nearly every frame is UDP over IPv4 without options or VLAN tags, and differs from
the next in its numbers alone. `capture.Rows` knows which bits vary; when none does that the rules
look at, it is enough to look at the first frame. Where some do, a few columns tell which frames are
to be looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Column, Rows, varying
from pytest_ixy.rules.kernel.layout import BEYOND, Layout


@dataclass(frozen=True, eq=False)
class Plain:
    """The frames of a block that `dissect` would find to be packets of the dialect, UDP at `UDP_AT`.

    Attributes:
        count: How many they are.
        sequence: Their sequence numbers; empty in a dialect without.
        others: Rows of the block whose frames need a closer look.
        lengths: Captured and original length of all plain frames; None where they differ.
        rows: The rows that hold them, and maybe some of `others` besides.
        odd: Which of `rows` are among `others`; None when none is.
    """

    count: int
    sequence: NDArray[np.uint32]
    others: Column
    lengths: tuple[int, int] | None
    rows: Rows
    odd: NDArray[np.bool_] | None

    @property
    def which(self) -> Column:
        """The row of the block that each plain frame is."""
        return np.delete(np.arange(self.count + self.others.size), self.others)

    @cached_property
    def alone(self) -> Rows:
        """The plain frames side by side, without odd ones: a copy if there are any."""
        if self.odd is None:
            return self.rows
        data = self.rows.data[~self.odd]
        return Rows(data, varying(data), self.others, self.lengths)

    @classmethod
    def of(cls, rows: Rows, layout: Layout) -> Plain | None:
        """Part the frames; None where hardly any is plain."""
        if rows.data.shape[1] < layout.needed:
            return None
        numbers = layout.numbers(rows.data)
        wide = numbers.itemsize > 4 and bool(np.count_nonzero(numbers >= BEYOND))  # noqa: PLR2004 (bytes)
        # count_nonzero, here and elsewhere, because any() and all() take ten times as long for little
        places = layout.places
        if not wide and not np.count_nonzero(rows.varying[places] | (rows.data[0, places] ^ layout.values)):
            return cls(len(rows.data), _narrow(numbers), rows.others, rows.lengths, rows, None)
        odd = _odd(rows, layout)
        if wide:
            odd |= numbers >= BEYOND
        if 2 * np.count_nonzero(odd) > odd.size:
            return None
        others = np.sort(np.concatenate((rows.others, rows.which[odd])))
        kept = _narrow(numbers[~odd] if numbers.size else numbers)
        return cls(int(np.count_nonzero(~odd)), kept, others, rows.lengths, rows, odd)


def _narrow(numbers: NDArray[np.unsignedinteger]) -> NDArray[np.uint32]:
    return numbers.astype(np.uint32, copy=False)


def _odd(rows: Rows, layout: Layout) -> NDArray[np.bool_]:
    """The rows that are not plain."""
    odd = np.zeros(len(rows.data), dtype=np.bool_)
    for place, value in layout.expected.items():
        if rows.varying[place] or rows.data[0, place] != value:
            odd |= rows.data[:, place] != value
    return odd
