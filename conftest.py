"""In CI a test that is skipped because something is missing fails: else nobody would ever notice."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

WANTING = ("needs ", "not installed: ")
"""How the reason of such a skip starts."""


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
