"""Scenario `lifecycle`: what happens to drivers beside steady traffic, on one set of machines.

Each test is a trial of its own, or two. The target plays every role that it has a program for, as in
`forward`: what a restart leaves behind shows in whatever comes next. Only for traffic both ways do
references send and capture, because no driver in userspace shares its device.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = ("fwd-restart", "fwd-killed", "pcap-late", "idle", "duplex", "link", "again")


@pytest.mark.parametrize("case", CASES)
def test_lifecycle(ixy_lifecycle: Callable[[str], None], case: str) -> None:
    """After it, or in spite of it, packets flow as they should."""
    ixy_lifecycle(case)
