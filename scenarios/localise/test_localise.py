"""Scenario `localise`: the target plays one role at a time beside references, which shows the one at fault.

First a trial of nothing but references shows that the lab works. In each of the others one program of
the target takes its place among them; every rule that fails a test is asked. fwd is tried in both
directions.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

PARTS = ("pktgen", "fwd", "fwd-back", "pcap")


@pytest.mark.parametrize("part", PARTS)
def test_alone(ixy_alone: Callable[[str], None], part: str) -> None:
    """Beside references the target's program does its part."""
    ixy_alone(part)
