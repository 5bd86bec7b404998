"""In CI the project's own tests must not be skipped for want of something."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

def test_called():
    pytest.skip("needs a browser")

@pytest.mark.skipif(True, reason="not installed: sshd")
def test_marked():
    pass

def test_other_reason():
    pytest.skip("on purpose")

@pytest.mark.xfail(reason="needs thought")
def test_expected():
    assert False
"""


@pytest.fixture
def run(pytester):
    """Run a few skipping tests beside the project's conftest.py."""
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    pytester.makepyfile(TESTS)
    return pytester.runpytest


def test_what_is_missing_in_ci_fails(run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = run()
    result.assert_outcomes(failed=1, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*In CI nothing may be missing: needs a browser*"])


def test_what_is_missing_elsewhere_is_skipped(run, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    run().assert_outcomes(skipped=3, xfailed=1)
