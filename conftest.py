"""In CI a test that is skipped because something is missing fails: else nobody would ever notice."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

WANTING = ("needs ", "not installed: ")
"""How the reason of such a skip starts."""


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell's `&` has it ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips for want of something into failures where the environment has CI set."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and os.environ.get("CI"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith(WANTING):
            report.outcome = "failed"
            report.longrepr = f"In CI nothing may be missing: {reason}"
    return report
