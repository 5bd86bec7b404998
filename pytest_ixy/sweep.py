"""Remove what runs left behind, and only that."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import ledger, paths
from pytest_ixy.ledger import Entry, Ledger


@dataclass(frozen=True)
class Swept:
    """What a sweep did for one run: entries that are gone now, and errors for those that are not."""

    run: str
    removed: tuple[str, ...]
    errors: tuple[str, ...]


def processes(tag: str) -> list[int]:
    """Ids of the processes that carry `tag` as one of their arguments."""
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _carries(entry, tag)
    ]


def _carries(process: Path, tag: str) -> bool:
    try:
        return tag.encode() in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def end_processes(tag: str) -> bool:
    """Kill the processes that carry `tag` and wait until they are gone; False when there were none."""
    found = processes(tag)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes(tag) and time.monotonic() < deadline:
        time.sleep(0.02)
    if processes(tag):
        raise TimeoutError(f"{tag}: still running 10 s after SIGKILL")
    return bool(found)


def remove_folder(name: str) -> bool:
    """Remove a scratch folder; False when it is gone already.

    Raises:
        PermissionError: the folder is not one of a run, so it is not ours to remove.
    """
    folder = Path(name)
    if folder.parent != scratch_root():
        raise PermissionError(f"{name}: not a scratch folder of a run")
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    return True


def scratch_root() -> Path:
    """The folder that holds the scratch folders of all runs."""
    return paths.scratch_folder("any").parent


REMOVERS: dict[str, Callable[[str], bool]] = {"process": end_processes, "folder": remove_folder}
"""How each kind of entry is removed; a provider with things of its own adds a kind."""


def settle(book: Ledger) -> Swept:
    """Remove everything in the ledger, last made first; the ledger stays when something could not be."""
    removed, errors = [], []
    for entry in reversed(book.entries()):
        try:
            if _remove(entry):
                removed.append(f"{entry.kind} {entry.name}")
        except (OSError, TimeoutError) as error:
            errors.append(f"{entry.kind} {entry.name}: {error}")
    if errors:
        book.release()
    else:
        book.settle()
    return Swept(book.run, tuple(removed), tuple(errors))


def _remove(entry: Entry) -> bool:
    remover = REMOVERS.get(entry.kind)
    if remover is None:
        raise OSError(f"no provider knows how to remove a {entry.kind}")
    return remover(entry.name)


def sweep() -> Iterator[Swept]:
    """Remove what every run left whose process is dead."""
    for book in ledger.abandoned():
        yield settle(book)
