"""A dialect as arrays: which bytes make a frame a plain one, and where its number stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Bytes
from pytest_ixy.dialect import FIXED, PAYLOAD_AT, UDP_AT, Dialect

BEYOND = 2**32
"""No number that large is taken for one: it would need more packets than a trial can have."""


class Layout:
    """What `plain` looks for in frames of a dialect.

    Attributes:
        dialect: The dialect.
        expected: All bytes of a frame that `dissect` looks at when they are these.
        needed: Bytes of a frame that have to be there.
        lengths: Captured and original length of a frame of the right size.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.expected = _expected(dialect)
        number = dialect.number.places.stop if dialect.number else 0
        self.needed = max(UDP_AT + dialect.udp_length, number, *(place + 1 for place in self.expected))
        self.lengths = (dialect.size, dialect.size)
        self.places = np.array(list(self.expected))
        self.values = np.array(list(self.expected.values()), dtype=np.uint8)

    def numbers(self, rows: Bytes) -> NDArray[np.unsignedinteger]:
        """The sequence number in each row, as wide as it is; none where packets have none."""
        if (number := self.dialect.number) is None:
            return np.empty(0, dtype=np.uint32)
        column = rows[:, number.at : number.at + number.width].view(number.dtype)[:, 0]
        return np.ascontiguousarray(column)


def _expected(dialect: Dialect) -> dict[int, int]:
    # total length: any that covers the header will do for `dissect`, but this one is the family's
    total = (dialect.size - 14).to_bytes(2, "big")
    length = dialect.udp_length.to_bytes(2, "big")
    magic = dialect.magic.encode()
    return {
        **FIXED,
        **{place: dialect.arriving[place] or total[place - 16] for place in (16, 17)},
        **dict(enumerate(length, UDP_AT + 4)),
        **dict(enumerate(magic, PAYLOAD_AT)),
    }
