"""Start a stack, find one, end one."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from stack import cage, places, venv

from pytest_ixy import programs, sweep

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


def start(*, name: str = "", bound: bool = True) -> Stack:
    """Bring a stack up; when `bound`, it dies with the thread that called this.

    Raises:
        NotStartedError: it did not come up.
    """
    installed = venv.ensure()
    folder = places.runs() / (name or secrets.token_hex(4))
    with FileLock(places.root() / "start.lock"):  # a folder without a process is taken for remains
        remove_remains()
        folder.mkdir(parents=True)
        process = _spawn(folder, installed, bound=bound)
    stack = Stack(folder, process)
    while not stack.ready():
        if process.poll() is not None:
            raise NotStartedError(_why(stack))
        time.sleep(0.1)
    return stack


def _spawn(folder: Path, installed: Path, *, bound: bool) -> subprocess.Popen[bytes]:
    python = str(installed / "bin" / "python")
    command = cage.caged([python, "-m", "stack.supervisor", str(folder), str(places.filled())])
    with (folder / "supervisor.log").open("wb") as log:
        return subprocess.Popen(
            programs.bound(command) if bound else command,
            env=cage.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever uses the stack
        )


def _why(stack: Stack) -> str:
    """The reason, and the end of the log that it names."""
    failed = stack.folder / "failed"
    reason = failed.read_text("utf-8") if failed.exists() else programs.tail(stack.folder / "supervisor.log")
    named = Path(reason.split()[-1])
    return reason + (programs.tail(named, lines=30) if named.is_file() else "")


def remove_remains() -> None:
    """Remove the folders of stacks that were killed."""
    for folder in places.runs().glob("*"):
        if not Stack(folder).runs():
            shutil.rmtree(folder, ignore_errors=True)
