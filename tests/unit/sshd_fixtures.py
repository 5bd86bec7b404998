"""Fixtures around `sshd`; a plugin of the test_remote_* modules."""

from __future__ import annotations

import threading

import pytest
from sshd import PROGRAM, Sshd, until


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    if not PROGRAM.exists():
        pytest.skip("not installed: sshd")
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_host(sshd):
    with sshd.connect() as host:
        yield host


@pytest.fixture
def host(shared_host):
    """The shared connection; asserts that a test leaves none of its threads."""
    before = set(threading.enumerate())
    yield shared_host
    assert until(
        lambda: not [t for t in threading.enumerate() if t not in before and t.name.startswith("ixy-")]
    )
