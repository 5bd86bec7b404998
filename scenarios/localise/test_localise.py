"""Scenario `localise`: the target plays one role at a time beside references, which shows the one at fault.

First a trial of nothing but references shows that the lab works. In each of the others one program of
the target takes its place among them; every rule that fails a test is asked.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

ROLES = ("pktgen", "fwd", "pcap")


@pytest.mark.parametrize("role", ROLES)
def test_alone(ixy_alone: Callable[[str], None], role: str) -> None:
    """Beside references the target's program does its part."""
    ixy_alone(role)
