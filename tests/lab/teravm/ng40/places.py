"""STAND-IN for an NG40 controller: where it keeps things, and whether it is busy."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HOME = Path(os.environ.get("NG40_HOME", Path("~/config/ng40cvnf").expanduser()))
TESTLIST, RUN_LOGS = HOME / "testlist", HOME / "testlist" / "log"
CASE_LOGS, CAPTURES = HOME / "ran" / "log", HOME / "ran" / "pcap"
CONTROL = HOME / "standin"
"""`busy`: told busy, with the reason. `no-cleanup`: a forced clean-up fails. `calls`: what was run."""
BUSY, CALLS, NO_CLEANUP = (CONTROL / name for name in ("busy", "calls", "no-cleanup"))
RAN = 'trap "" INT TERM HUP; echo up; exec sleep 86400 >/dev/null 2>&1'
STUBBORN = 'trap "" INT TERM HUP; while :; do sleep 1; done'


def enter(program: str) -> None:
    """Write down the call."""
    for folder in (CONTROL, RUN_LOGS, CASE_LOGS, CAPTURES):
        folder.mkdir(parents=True, exist_ok=True)
    with CALLS.open("a") as calls:
        calls.write(f"{' '.join((program, *sys.argv[1:]))}\n")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """While nobody else looks whether the tester is idle."""
    with (CONTROL / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def busy() -> str:
    """Why the tester is not idle; empty when it is."""
    if BUSY.exists():
        return BUSY.read_text().strip() or "somebody else has it"
    for file in CONTROL.glob("ran-*"):
        if alive(file):
            return f"{file.read_text().strip()} runs"
        file.unlink()
    return ""


def alive(file: Path) -> bool:
    """Whether the process whose id the file's name ends with is there, and no zombie."""
    try:
        stat = Path(f"/proc/{file.name.rpartition('-')[2]}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def note(kind: str, pid: int, what: str) -> Path:
    """Have a process known to the forced clean-up."""
    file = CONTROL / f"{kind}-{pid}"
    file.write_text(what)
    return file


def start_ran(what: str) -> subprocess.Popen[str]:
    """The RAN, which goes on when the program dies: it has nothing of the program's, and no TERM ends it."""
    ran = subprocess.Popen(
        ["/bin/sh", "-c", RAN], env={"PATH": "/usr/bin:/bin"}, start_new_session=True, cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert ran.stdout is not None
    ran.stdout.readline()
    note("ran", ran.pid, what)
    return ran


def start_stubborn() -> None:
    """A child that no TERM ends and that keeps the program's output open."""
    child = subprocess.Popen(["/bin/sh", "-c", STUBBORN], start_new_session=True)
    note("child", child.pid, "child")


def kill(file: Path) -> None:
    """End the process that a file stands for."""
    with contextlib.suppress(OSError):
        os.kill(int(file.name.rpartition("-")[2]), signal.SIGKILL)
    end = time.monotonic() + 5
    while alive(file) and time.monotonic() < end:
        time.sleep(0.02)
    file.unlink(missing_ok=True)
