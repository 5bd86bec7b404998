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
def connections(sshd):
    made = [sshd.connect()]
    yield made
    made[-1].close()


@pytest.fixture
def host(connections, sshd):
    """The shared connection, made anew where it was cut; asserts that a test leaves none of its threads."""
    if connections[-1].lost:
        connections[-1].close()
        connections.append(sshd.connect())
    before = set(threading.enumerate())
    yield connections[-1]
    assert until(
        lambda: not [t for t in threading.enumerate() if t not in before and t.name.startswith("ixy-")]
    )
