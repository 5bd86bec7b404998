"""Interfaces of a pcapng section: link type, snap length and what a unit of time means."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture.block import Column

MOST_INTERFACES = 65_536
"""A section with more is hostile: the table would outgrow the file's use."""

BODY = 16
"""Bytes of an interface description before its options."""

RESOLUTION, OFFSET = 9, 14


@dataclass(frozen=True)
class Interface:
    """One interface. A time of t ticks is t * `factor` / `divisor` / 2**`shift` ns after `offset` seconds.

    `drop` bits of t are cut off first, where a resolution is finer than 2**-33 s.
    """

    link: int
    snap_length: int
    factor: int = 1_000
    divisor: int = 1
    shift: int = 0
    drop: int = 0
    offset: int = 0

    @classmethod
    def parse(cls, body: bytes, order: str) -> Interface:
        """From the whole block of an interface description."""
        link, snap_length = struct.unpack_from(order + "H2xI", body, 8)
        options = dict(_options(body[BODY:-4], order))
        resolution, offset = options.get(RESOLUTION, b""), options.get(OFFSET, b"")
        return cls(
            link=link,
            snap_length=snap_length,
            offset=struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0,  # noqa: PLR2004
            **_unit(resolution[0]) if len(resolution) == 1 else {},
        )

    def time(self, ticks: int) -> int:
        """One time in ns since 1970; unlike those of `nanoseconds` it may need more than 64 bits."""
        whole, rest = divmod(ticks >> self.drop, 1 << self.shift)
        part = rest * self.factor >> self.shift
        return whole * self.factor // self.divisor + part + self.offset * 1_000_000_000


def _unit(resolution: int) -> dict[str, int]:
    """The tick as if_tsresol tells it: a power of ten, or of two when the top bit is set."""
    power = resolution & 0x7F
    if resolution & 0x80:
        drop = min(max(0, power - 33), 63)
        return {"factor": 10**9, "shift": power - drop if drop < 63 else 33, "drop": drop}  # noqa: PLR2004
    if power <= 9:  # noqa: PLR2004
        return {"factor": 10 ** (9 - power)}
    return {"factor": 1, "divisor": 10 ** min(power - 9, 19)}


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option; stops at the first that does not fit."""
    position = 0
    while position + 4 <= len(data):
        code, length = struct.unpack_from(order + "HH", data, position)
        value = data[position + 4 : position + 4 + length]
        if code == 0 or len(value) < length:
            return
        yield code, value
        position += 4 + (length + 3) // 4 * 4


def nanoseconds(ticks: NDArray[Any], which: Column, interfaces: Sequence[Interface]) -> Column:
    """Times in ns since 1970 of `ticks` (uint64) counted by the interfaces numbered `which`."""

    def of_each(name: str, dtype: type = np.uint64) -> NDArray[Any]:
        return np.array([getattr(interface, name) for interface in interfaces], dtype=dtype)[which]

    kept, shift, factor = ticks >> of_each("drop"), of_each("shift"), of_each("factor")
    whole = (kept >> shift) * factor // of_each("divisor")
    rest = kept & ((np.uint64(1) << shift) - np.uint64(1))
    part = (rest * factor) >> shift
    since = of_each("offset", np.int64) * 1_000_000_000
    return np.asarray((whole + part).astype(np.int64) + since, dtype=np.int64)
