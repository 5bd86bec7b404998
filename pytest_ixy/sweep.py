"""Remove what runs left behind, and only that."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
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
    """Ids of the processes that carry `tag` as one of their arguments; never this one."""
    if not tag:  # many processes have an empty argument
        return []
    found = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in found if pid != os.getpid() and _carries(pid, tag)]


def _carries(pid: int, tag: str) -> bool:
    try:
        return tag.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _signal(pid: int, tag: str, number: signal.Signals) -> None:
    """Send a signal to a process that carries `tag`, but not to one that has got its id since."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if _carries(pid, tag):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def ask_to_end(tag: str) -> bool:
    """Send SIGTERM to the processes that carry `tag`; False when there were none."""
    found = processes(tag)
    for pid in found:
        _signal(pid, tag, signal.SIGTERM)
    return bool(found)


def end_processes(tag: str) -> bool:
    """Kill the processes that carry `tag` and wait until they are gone; False when there were none."""
    found = processes(tag)
    for pid in found:
        _signal(pid, tag, signal.SIGKILL)
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
    if not _is_scratch(folder):
        raise PermissionError("not a scratch folder of a run")
    if not folder.exists():
        return False
    try:
        shutil.rmtree(folder)
    except PermissionError:
        _remove_as_owners(folder)
    return True


def _is_scratch(folder: Path) -> bool:
    """By its form, because a run may have had another cache folder (XDG_CACHE_HOME) than this process."""
    form = paths.scratch_folder("any").parts[-3:-1]
    return folder.is_absolute() and folder.parts[-3:-1] == form and ".." not in folder.parts


def _remove_as_owners(folder: Path) -> None:
    """Remove what a build of the image made as the users of its own user namespace.

    Raises:
        PermissionError: with the command's own words.
    """
    command = ["unshare", "--map-root-user", "--map-auto", "rm", "-rf", "--one-file-system", "--"]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if folder.exists():
        raise PermissionError(done.stderr.strip() or "could not be removed")


def free_lease(name: str) -> bool:
    """Give a host back that a run has leased; False when it has been already."""
    from pytest_ixy.providers.static.slip import free

    return free(Path(name))


def remove_of_cloud(text: str) -> bool:
    """Remove what a run made in an OpenStack cloud; False when it is gone already."""
    from pytest_ixy.providers.openstack.removal import remove_entry

    return remove_entry(text)


def take_back(name: str) -> bool:
    """Run the command that takes back what a run has set up here; False when it is gone already."""
    from pytest_ixy import undo

    return undo.take_back(Path(name))


REMOVERS: dict[str, Callable[[str], bool]] = {
    "process": end_processes,
    "folder": remove_folder,
    "lease": free_lease,
    "openstack": remove_of_cloud,
    "undo": take_back,
}
"""How each kind of entry is removed; a provider with things of its own adds a kind."""

PRESENT: dict[str, Callable[[str], bool]] = {
    "process": lambda tag: bool(processes(tag)),
    "folder": lambda name: Path(name).exists(),
    "lease": lambda name: Path(name).exists(),
    "undo": lambda name: Path(name).exists(),
}
"""Whether an entry of each kind is there; one of a kind that is not listed is taken to be."""


def settle(book: Ledger) -> Swept:
    """Remove everything in the ledger, last made first; the ledger stays when something could not be."""
    removed, errors = [], dict[str, list[str]]()
    for entry in reversed(book.entries()):
        try:
            if _remove(entry):
                removed.append(_words(entry))
        except (OSError, TimeoutError) as error:
            errors.setdefault(str(error), []).append(_words(entry))
    if errors:
        book.release()
    else:
        book.settle()
    return Swept(book.run, tuple(removed), tuple(f"{_some(names)}: {why}" for why, names in errors.items()))


def _words(entry: Entry) -> str:
    """What it is; how it is found in its cloud stays in the ledger."""
    return f"{entry.kind} {entry.name.partition(' run=')[0] if entry.kind == 'openstack' else entry.name}"


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def forget(run: str) -> Swept | None:
    """Strike a dead run out and remove nothing: what it may have left, or None when there is no such run."""
    for book in ledger.abandoned():
        if book.run == run:
            left = tuple(_words(entry) for entry in reversed(book.entries()))
            book.settle()
            return Swept(run, left, ())
        book.release()
    return None


def _remove(entry: Entry) -> bool:
    remover = REMOVERS.get(entry.kind)
    if remover is None:
        raise OSError(f"no provider knows how to remove a {entry.kind}")
    return remover(entry.name)


def sweep() -> Iterator[Swept]:
    """Remove what every run left whose process is dead."""
    for book in ledger.abandoned():
        yield settle(book)


def before_a_run(say: Callable[[str], None]) -> None:
    """Sweep, and say what was found."""
    for swept in sweep():
        say(f"swept what the killed run {swept.run} left: {', '.join(swept.removed) or 'nothing'}")
        for error in swept.errors:
            say(f"could not remove {error}")


def survey() -> Iterator[Swept]:
    """What `sweep` would remove now; removes nothing."""
    for book in ledger.abandoned():
        there = [entry for entry in reversed(book.entries()) if _is_there(entry)]
        book.release()
        yield Swept(book.run, tuple(map(_words, there)), ())


def _is_there(entry: Entry) -> bool:
    present = PRESENT.get(entry.kind)
    return present is None or present(entry.name)
