"""Which frames carry some sequence numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pytest_ixy.capture import CaptureFlaw, blocks
from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.sight import Sight


@dataclass(frozen=True)
class Bearer:
    """A packet: its 1-based frame number, and its time in seconds since the first frame."""

    frame: int
    seconds: float


def bearers(path: Path | None, dialect: Dialect, numbers: Collection[int]) -> dict[int, Bearer]:
    """The first packet with each of those sequence numbers, as far as there is one; few, please."""
    found: dict[int, Bearer] = {}
    layout, begin = Layout(dialect), None
    try:
        for block in blocks(path) if path and numbers else ():
            begin = block.ends[0] if begin is None else begin
            sight = Sight(block, layout)
            for number, frame in _in(sight, set(numbers) - found.keys()).items():
                time = int(block.look(np.array([frame - block.first])).time[0])
                found[number] = Bearer(frame, (time - begin) / 1e9)
            if len(found) == len(set(numbers)):
                break
    except CaptureFlaw:
        pass  # the first pass has told
    return found


def _in(sight: Sight, numbers: Collection[int]) -> dict[int, int]:
    """The frames of one block that carry those numbers."""
    found = {}
    for number in numbers:
        same = sight.sequence == number
        if same.any():
            found[number] = int(sight.frames_of(np.array([same.argmax()]))[0])
    return found
