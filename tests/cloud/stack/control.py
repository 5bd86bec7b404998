"""Start a stack, find one, end one."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from stack import cage, places, venv
from stack.site import API

from pytest_ixy import programs, sweep

LOCK = "lock"
HAND = "hand"
"""Name of the stack that somebody keeps up by hand."""


class NotStartedError(Exception):
    """A stack could not be brought up; says why, with the last words of what failed."""


@dataclass(frozen=True)
class Stack:
    """A stack.

    Attributes:
        folder: Where it is; its path is among the arguments of its first processes.
        process: The outermost of those, for who started it.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def clouds(self) -> Path:
        """Its clouds.yaml."""
        return self.folder / "clouds.yaml"

    def runs(self) -> bool:
        """Whether its processes are there."""
        return bool(sweep.processes(str(self.folder)))

    def ready(self) -> bool:
        """Whether it can be used."""
        return (self.folder / "ready").exists() and self.runs()

    def end(self) -> None:
        """End all of its processes and remove what they wrote."""
        sweep.end_processes(str(self.folder))
        if self.process:
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def by_hand() -> Stack:
    """The stack that is kept up by hand, whether it runs or not."""
    return Stack(places.runs() / HAND)


def start(*, tier: str = API, name: str = "", bound: bool = True) -> Stack:
    """Bring a stack up; when `bound`, it dies with the thread that called this.

    Raises:
        NotStartedError: it did not come up.
    """
    installed = venv.ensure(tier)
    folder = places.runs() / (name or secrets.token_hex(4))
    python = str(installed / "bin" / "python")
    command = cage.caged([python, "-m", "stack.supervisor", tier, str(folder), str(places.filled(tier))])
    with FileLock(places.root() / "start.lock"):  # a folder that nobody has locked yet is taken for remains
        remove_remains()
        folder.mkdir(parents=True)
        process = _spawn(folder, programs.bound(command) if bound else command)
    stack = Stack(folder, process)
    while not stack.ready():
        if process.poll() is not None:
            raise NotStartedError(_why(stack))
        time.sleep(0.1)
    return stack


def _spawn(folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """Start it, with a lock on its folder that the kernel takes away when it is gone."""
    with (folder / "supervisor.log").open("wb") as log, (folder / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.Popen(
            command,
            env=cage.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # Ctrl-C is for whoever uses the stack
        )


def _why(stack: Stack) -> str:
    """The reason, and the end of the log that it names."""
    failed = stack.folder / "failed"
    reason = failed.read_text("utf-8") if failed.exists() else programs.tail(stack.folder / "supervisor.log")
    named = Path(reason.split()[-1])
    return reason + (programs.tail(named, lines=30) if named.is_file() else "")


def remove_remains() -> None:
    """Remove the folders of stacks that were killed, wherever their processes were."""
    for folder in places.runs().glob("*"):
        with (folder / LOCK).open("ab") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
