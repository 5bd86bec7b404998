"""A program of this machine that makes a connection: it lives as long as that shall stand, and not longer."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pytest_ixy import programs, undo
from pytest_ixy.errors import LabError
from pytest_ixy.ledger import Ledger
from pytest_ixy.printable import plain

LIMIT = 16 << 20
"""Bytes of the log."""
KEPT = 15
"""Last lines that are kept for a message."""
LINE = 4096
GRACE = 10.0
"""Seconds that the program has to end by itself."""
# It stands between us and the program, and carries the tag: setpriv's signal does not pass through sudo.
_GUARD = """
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
"$@" & child=$!
wait "$child"; status=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; status=$?; done
exit "$status"
"""


@dataclass(frozen=True)
class Program:
    """What makes a connection.

    Attributes:
        command: The program and its arguments.
        cwd: Folder that it is run in.
        pass_on: Names of variables that it gets.
        ready: What it prints when the connection stands; empty where nothing tells.
    """

    command: Sequence[str]
    cwd: Path
    pass_on: Sequence[str]
    ready: str = ""


class Tunnel:
    """The program, started; its output goes to a log, without the values of what was passed on.

    It is ended with the thread that made this object.
    """

    def __init__(self, program: Program, book: Ledger, log: Path) -> None:
        """Start it, written down in the ledger before.

        Raises:
            LabError: it is not installed, or the log cannot be written.
        """
        tag = f"ixy-tunnel-{secrets.token_hex(8)}"
        whole = programs.bound(["bash", "-c", _GUARD, tag, *programs.bound(program.command, "TERM")], "TERM")
        self._hidden = undo.secrets(program.pass_on)
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ready, self._said, self._over = program.ready, False, False
        stream = _opened(log)
        book.intend("process", tag)
        self._process = subprocess.Popen(
            whole,
            cwd=program.cwd,
            env=undo.environment(program.pass_on),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        reading = (cast("IO[bytes]", self._process.stdout), stream)
        self._thread = threading.Thread(target=self._read, args=reading, name="ixy-tunnel", daemon=True)
        self._thread.start()

    def _read(self, output: IO[bytes], log: IO[str]) -> None:
        room = LIMIT
        with output, log, contextlib.suppress(OSError):
            while raw := output.readline(LINE):
                line = undo.masked(raw.decode("utf-8", "replace"), self._hidden)
                room -= len(line)
                if room > 0:
                    log.write(line)
                self._take(line)
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        with self._changed:
            self._lines = [*self._lines, line.strip()][-KEPT:]
            self._said = self._said or (bool(self._ready) and self._ready in line)
            self._changed.notify_all()

    def says(self, seconds: float) -> bool:
        """Wait until it has said that it is ready; False when it ended, or time was over, before."""
        with self._changed:
            self._changed.wait_for(lambda: self._said or self._over, seconds)
            return self._said

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or None when it still runs after that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    @property
    def status(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    @property
    def last(self) -> str:
        """The last lines that it has printed, fit to be shown."""
        self._thread.join(1.0 if self.status is not None else 0.0)
        with self._changed:
            return plain("\n".join(line for line in self._lines if line))

    def stop(self) -> str | None:
        """End it, gently first; an error in words, or None."""
        if self._process.poll() is None:
            self._process.terminate()
            self.wait(GRACE)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._thread.join(1.0)  # what the program has left in the background may hold the pipe
        return None if self.wait(GRACE) is not None else "it does not even end on SIGKILL"


def _opened(log: Path) -> IO[str]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise LabError(f"cannot write {log}: {error.strerror}") from error
