"""Blocks in which one packet speaks for all: ixy's packets right behind each other.

In a good capture nearly every frame is UDP over IPv4 without options or VLAN tags, and differs from
the next in its numbers alone. `capture.Rows` knows which bits vary; when none does that the rules
look at, it is enough to look at the first frame. Where some do, a few columns tell which frames are
to be looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Column, Rows
from pytest_ixy.rules.dissect import MAGIC, SEQUENCE_AT, UDP, UDP_LENGTH

UDP_AT = 34
"""Behind Ethernet (14 bytes) and IPv4 without options (20)."""

EXPECTED = {
    12: 0x08, 13: 0x00,  # IPv4
    14: 0x45,  # version 4, 20 bytes of header
    16: 0, 17: 46,  # total length: any from 20 on will do, but this is ixy's
    23: UDP,
    UDP_AT + 4: 0, UDP_AT + 5: UDP_LENGTH,
    **{UDP_AT + 8 + index: byte for index, byte in enumerate(MAGIC)},
}  # fmt: skip
"""All bytes of a frame that `dissect` looks at when they are these."""

PLACES = np.array(list(EXPECTED))
VALUES = np.array(list(EXPECTED.values()), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Plain:
    """The frames of a block that `dissect` would find to be numbered packets with UDP at `UDP_AT`.

    Attributes:
        sequence: Their sequence numbers.
        others: Rows of the block whose frames need a closer look.
        lengths: Captured and original length of all plain frames; None where they differ.
    """

    sequence: NDArray[np.uint32]
    others: Column
    lengths: tuple[int, int] | None

    @property
    def which(self) -> Column:
        """The row of the block that each plain frame is."""
        return np.delete(np.arange(self.sequence.size + self.others.size), self.others)

    @classmethod
    def of(cls, rows: Rows) -> Plain | None:
        """Part the frames; None where hardly any is plain."""
        begin = UDP_AT + SEQUENCE_AT
        sequence = np.ascontiguousarray(rows.data[:, begin : begin + 4].view("<u4")[:, 0])
        # count_nonzero, here and elsewhere, because any() and all() take ten times as long for little
        if not np.count_nonzero(rows.varying[PLACES] | (rows.data[0, PLACES] ^ VALUES)):
            return cls(sequence, rows.others, rows.lengths)
        odd = _odd(rows)
        if 2 * np.count_nonzero(odd) > odd.size:
            return None
        others = np.sort(np.concatenate((rows.others, rows.which[odd])))
        return cls(sequence[~odd], others, rows.lengths)


def _odd(rows: Rows) -> NDArray[np.bool_]:
    """The rows that are not plain."""
    odd = np.zeros(len(rows.data), dtype=np.bool_)
    for place, value in EXPECTED.items():
        if rows.varying[place] or rows.data[0, place] != value:
            odd |= rows.data[:, place] != value
    return odd
