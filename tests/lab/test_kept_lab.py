"""A build that is kept: real machines, three runs of one target."""

from __future__ import annotations

import json
import secrets

import pytest

from conftest import ALL, PROGRAMS
from pytest_ixy import kept

# by the clock: random numbers come again in machines that are restored from one state
BUILD = "echo building; date +%s%N > stamp; touch ../built-here"
SETUP = 'echo "stamp $(cat stamp)"; ls ../built-here 2>/dev/null || echo not built here'


@pytest.fixture
def once(target):
    """A target that no run has built before; its builds go in the end."""
    before = {one.name for one in kept.stored()}
    folder = target(build=[BUILD])
    text = (folder / "ixy-ci.toml").read_text()
    head = f"build_once = true\nsetup = ['sudo ./setup-hugepages.sh', '''{SETUP}''']\n"
    (folder / "ixy-ci.toml").write_text(head + text)
    (folder / "new").write_text(secrets.token_hex())
    yield folder
    for one in kept.stored():
        if one.name not in before:
            kept.remove(one.name)


def stamps_of(result):
    """Which build each node has, by role, and where one was made."""
    run = max((result.folder / "ixy-artifacts").iterdir())
    logs = {role: (run / "build" / f"{role}.log").read_text() for role in PROGRAMS}
    lines = {role: log.splitlines() for role, log in logs.items()}
    found = {line for each in lines.values() for line in each if line.startswith("stamp ")}
    here = {role for role, each in lines.items() if "not built here" not in each}
    (stamp,) = found
    return stamp, here, run


def test_the_second_run_of_an_unchanged_target_builds_nothing(runner, once):
    before = {one.name for one in kept.stored()}
    first, where, _ = stamps_of(runner.run(once, "-k", "test_build"))
    assert len(where) == 1
    result = runner.run(once, "--ixy-packets=20000")
    assert result.having("passed") == ALL, result.output
    second, where, run = stamps_of(result)
    assert (second, where) == (first, set())
    builds = json.loads((run / "manifest.json").read_text())["builds"]
    assert all(one["kept"] for one in builds.values())
    (one,) = (one for one in kept.stored() if one.name not in before)
    (one.folder / kept.ARCHIVE).write_bytes(b"poisoned")
    result = runner.run(once, "-k", "test_build")
    third, where, _ = stamps_of(result)
    assert third != first
    assert len(where) == 1
    assert "damaged" in result.output
