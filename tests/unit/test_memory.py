"""The loop that watches a role's memory and keeps its capture from filling the disk, run on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.resources import files

import pytest

from pytest_ixy.memory import read

HAS = "data = bytearray(b'x') * (64 << 20); import time; time.sleep(600)"
KEPT = 1 << 16


@pytest.fixture
def role():
    """A shell that leads a session, with a process in it that has 64 MiB."""
    command = ["bash", "-c", f"{sys.executable} -c {HAS!r}; true".replace("'", '"').replace('b"x"', "b'x'")]
    process = subprocess.Popen(command, start_new_session=True)
    yield process.pid
    os.killpg(process.pid, 9)
    process.wait()


@pytest.fixture
def start():
    """Starts the loop with these variables."""
    started = []

    def make(**variables):
        script = files("pytest_ixy").joinpath("memory.bash").read_text()
        environment = {**os.environ, "CAPTURE": "", "KEEP": str(KEPT), **variables}
        started.append(
            subprocess.Popen(["bash", "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        )
        return started[-1]

    yield make
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def lines(process, wanted):
    """Reads on until a line that is wanted comes."""
    for line in process.stdout:
        if wanted(line):
            return line
    raise AssertionError("it has ended")


def test_it_tells_what_the_processes_of_a_session_have_but_not_their_shell(role, start):
    loop = start(SESSION=str(role))
    line = lines(loop, lambda line: read("fwd", line).get("fwd/rss", 0) > 60_000)
    found = read("fwd", line)
    assert found["fwd/rss"] < 200_000
    assert found["fwd/huge"] == 0


def test_it_tells_nothing_of_a_session_that_is_gone(start):
    assert lines(start(SESSION="999999999"), lambda _line: True) == "rss 0 huge 0\n"


def test_the_middle_of_a_long_capture_is_forgotten_and_its_ends_stay(start, tmp_path):
    capture = tmp_path / "capture.pcap"
    data = os.urandom(1 << 20)
    capture.write_bytes(data)
    before = capture.stat().st_blocks
    loop = start(SESSION="999999999", CAPTURE=str(capture))
    assert lines(loop, lambda line: line.startswith("size")) == f"size {1 << 20}\n"
    lines(loop, lambda line: line.startswith("size"))
    after = capture.stat()
    assert after.st_size == 1 << 20
    assert after.st_blocks < before / 2
    left = capture.read_bytes()
    assert left[:KEPT] == data[:KEPT]
    assert left[-KEPT:] == data[-KEPT:]


def test_one_signal_ends_it(start):
    loop = start(SESSION="999999999")
    lines(loop, lambda _line: True)
    time.sleep(0.2)
    loop.terminate()
    assert loop.wait(20) is not None
