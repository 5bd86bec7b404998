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
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Entry(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def settle(self) -> None:
        """Forget the run: everything in the ledger is gone."""
        self.path.unlink(missing_ok=True)
        self._stream.close()

    def release(self) -> None:
        """Leave the ledger for the next sweep, because something in it could not be removed."""
        self._stream.close()


def _locked(path: Path, mode: str) -> Ledger | None:
    stream = path.open(mode, encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return Ledger(path, stream)


def create(run: str) -> Ledger:
    """Open a new ledger for the run, locked by this process.

    Raises:
        FileExistsError: another run has the same id.
    """
    folder = paths.ledgers_folder()
    folder.mkdir(parents=True, exist_ok=True)
    ledger = _locked(folder / f"{run}.jsonl", "x")
    if ledger is None:
        raise FileExistsError(run)
    return ledger


def abandoned() -> Iterator[Ledger]:
    """The ledgers whose owner is dead, each locked by this process from now on."""
    for path in sorted(paths.ledgers_folder().glob("*.jsonl")):
        try:
            ledger = _locked(path, "a")
        except FileNotFoundError:
            continue
        if ledger is not None:
            yield ledger
