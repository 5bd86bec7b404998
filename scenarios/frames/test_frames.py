"""Scenario `frames`: the target's fwd alone between references, and frames of all kinds through it.

Each class of frames is a trial and a test of its own: all of them must arrive once, in order, and byte
for byte as they were sent, but for what fwd touches. When they do not, a trial of references shows whether
the lab is at fault. What a driver is not made for is declared in its `ixy-ci.toml`, in `[unsupported]`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_ixy.traffic.classes import CLASSES


@pytest.mark.parametrize("frames", list(CLASSES))
def test_frames(ixy_frames: Callable[[str], None], frames: str) -> None:
    """The target's fwd passes frames of that class."""
    ixy_frames(frames)
