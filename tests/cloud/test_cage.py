"""Nothing of a stack outlives who started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from needs import need_programs
from stack import control, places

from pytest_ixy import sweep

HERE = Path(__file__).parent
PATIENCE = 60

STARTER = """
import sys
from stack import control
control.start(name=sys.argv[1])
"""


def inside(stack):
    """Ids of the processes in the stack's cage: of those that share a namespace with its supervisor."""
    cages = {space_of(pid) for pid in sweep.processes(str(stack.folder))} - {space_of("self"), None}
    return [pid.name for pid in Path("/proc").glob("[0-9]*") if space_of(pid.name) in cages]


def space_of(pid):
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return None


def until(done):
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def started():
    """A stack on its way up, and the process that starts it."""
    need_programs("mariadbd", "rabbitmq-server", "epmd", "unshare", "setpriv")
    stack = control.Stack(places.runs() / f"killed-{os.getpid()}")
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen([sys.executable, "-c", STARTER, stack.folder.name], env=environment)
    yield process, stack
    process.kill()
    process.wait()
    stack.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stack_dies_with_who_started_it(started, number):
    process, stack = started
    until(lambda: (stack.folder / "db.sock").exists() and len(inside(stack)) > 5)
    cage = inside(stack)
    process.send_signal(number)
    process.wait(PATIENCE)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in cage))
    assert not stack.runs()
    control.remove_remains()
    assert not stack.folder.exists()
