"""What a run is about to make, written down first, so that nothing outlives even a SIGKILL.

A ledger is a file of JSON lines, one per thing, written and synced before the thing is made. Its
owner holds a lock on it; the kernel drops the lock when the owner dies, however it dies. So a
ledger that can be locked belongs to a run that is over, and what stands in it can be removed by
anyone, without guessing from process ids.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_ixy import paths
from pytest_ixy.errors import LabError


@dataclass(frozen=True)
class Entry:
    """One thing of a run: `kind` tells how it is removed, `name` which one it is."""

    kind: str
    name: str


class Ledger:
    """The list of what a run made, held locked while its owner lives."""

    def __init__(self, path: Path, stream: IO[str]) -> None:
        self.path = path
        self._stream = stream

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.path.stem

    def intend(self, kind: str, name: str) -> None:
        """Write down that `name` is about to be made; returns when the disk has it."""
        self._stream.write(json.dumps({"kind": kind, "name": name}) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def entries(self) -> list[Entry]:
        """What was written so far; a line cut by a crash is left out, as nothing was made yet."""
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [entry for line in lines if (entry := _entry(line))]

    @property
    def record(self) -> Path:
        """The file beside it that tells how to visit the run; see `runs.py`."""
        return record_of(self.path)

    def fileno(self) -> int:
        """The descriptor that the lock is tied to; whoever inherits it holds the lock too."""
        return self._stream.fileno()

    def settle(self) -> None:
        """Forget the run: everything in the ledger is gone."""
        self.record.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self._stream.close()

    def release(self) -> None:
        """Leave the ledger to another process that holds it, or to the next sweep."""
        self._stream.close()


def path_of(run: str) -> Path:
    """The file of that run's ledger."""
    return paths.ledgers_folder() / f"{run}.jsonl"


def record_of(path: Path) -> Path:
    """The file beside the ledger at `path` that tells how to visit the run."""
    return path.with_suffix(".json")


def _entry(line: str) -> Entry | None:
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
    return entry if isinstance(entry.kind, str) and isinstance(entry.name, str) else None


def _locked(path: Path, stream: IO[str], operation: int) -> Ledger | None:
    """The ledger once it is locked; None when another process has it or has just removed it."""
    try:
        fcntl.flock(stream, operation)
        if os.fstat(stream.fileno()).st_nlink:
            return Ledger(path, stream)
    except BlockingIOError:
        pass
    stream.close()
    return None


def create(run: str) -> Ledger:
    """Open a new ledger for the run, locked by this process.

    Raises:
        FileExistsError: another run has the same id.
        LabError: the user's state folder cannot be written to.
    """
    path = path_of(run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            # between open and lock a sweep may take the new file for an abandoned one, and remove it
            ledger = _locked(path, path.open("x", encoding="utf-8"), fcntl.LOCK_EX)
            if ledger is not None:
                return ledger
    except FileExistsError:
        raise
    except OSError as error:
        hint = "set XDG_STATE_HOME to a folder that this user may write to"
        raise LabError(f"The run cannot be written down in {path}: {error.strerror}.", hint=hint) from error


def abandoned() -> Iterator[Ledger]:
    """The ledgers whose owner is dead, each locked by this process from now on."""
    for path in sorted(paths.ledgers_folder().glob("*.jsonl")):
        try:
            stream = path.open("r+", encoding="utf-8")
        except (FileNotFoundError, PermissionError):  # settled just now; of another user (sudo)
            continue
        ledger = _locked(path, stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if ledger is not None:
            yield ledger


def inherited(path: Path, descriptor: int) -> Ledger:
    """The ledger that another process has created and handed over, with its lock."""
    return Ledger(path, os.fdopen(descriptor, "w", encoding="utf-8"))


def kept() -> Iterator[Path]:
    """The ledgers whose owner lives."""
    for path in sorted(paths.ledgers_folder().glob("*.jsonl")):
        if is_owned(path):
            yield path


def is_owned(path: Path) -> bool:
    """Whether the owner of the ledger at `path` lives."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # settled just now; of another user (sudo)
        pass
    return False
