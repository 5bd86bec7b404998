"""Scenario `soak`: traffic for minutes (`--ixy-minutes`), and what changes meanwhile.

pcap captures all the time, but its file is not kept. What the networks count and what memory the roles
have is sampled; each test says from when on something was no longer as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_ixy.soak import QUESTIONS

ROLES = ("pktgen", "fwd", "pcap")


@pytest.mark.parametrize("role", ROLES)
def test_build(ixy_build: Any, role: str) -> None:
    """Every `build` command of the target ends with status 0 on the role's node."""
    ixy_build.check(role)


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_soak(ixy_soak: Callable[[str], Any], question: str) -> None:
    """Rate, loss and memory stay as they are, and roles work until they are told to stop."""
    ixy_soak(question)
