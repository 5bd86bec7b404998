"""Builds that are kept in the user's cache, so that an unchanged commit is not built again.

What is in an archive was made by a target on a node. So it is never unpacked here, only copied, and compared
with its checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pytest_ixy import paths
from pytest_ixy.bundle import BuildStep
from pytest_ixy.errors import UsageError
from pytest_ixy.record import Record

FORMAT = 1
LARGEST = 512 << 20
"""Bytes that one build may have, packed."""
ROOM = 4 << 30
"""Bytes that all together may have; those go that were not used for the longest time."""
UNUSED = 30 * 86_400
"""Seconds after which a build that nobody used goes."""
LOG_LIMIT, RECORD_LIMIT = 1 << 20, 1 << 20
ARCHIVE, LOG, RECORD = "tree.tar.zst", "build.log", "build.json"
NAME = re.compile(r"[0-9a-f]{24}")
PIECE = 1 << 20
PATIENCE = 60.0
"""Seconds to wait for another run that writes or copies a build."""


class KeptBuild(Record):
    """A build: for which target and image, when, by which commands, and the checksum of its archive."""

    label: str
    image: str
    made: datetime
    steps: tuple[BuildStep, ...]
    sha256: str = ""


@dataclass(frozen=True)
class Taken:
    """A kept build, copied for one run and found to be whole; `log` is what its commands printed."""

    record: KeptBuild
    archive: Path
    log: bytes


@dataclass(frozen=True)
class Stored:
    """A kept build in the cache: its name, bytes, and seconds since 1970 of its last use."""

    name: str
    folder: Path
    size: int
    used: float

    def record(self) -> KeptBuild | None:
        """What it is; None when it is damaged."""
        try:
            return _read(self.folder)
        except (OSError, ValueError):
            return None


def name_of(*parts: str | Sequence[str]) -> str:
    """The name of the build that depends on those things and nothing else."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()[:24]


def take(name: str, scratch: Path, say: Callable[[str], None]) -> Taken | None:
    """Copy a kept build into `scratch`; None when there is none, or it is not whole: then it is removed."""
    folder = paths.builds_folder() / name
    if not folder.is_dir():
        return None
    try:
        with _locked():
            return _copied(folder, scratch / f"kept-{name}.tar.zst")
    except TimeoutError:
        return None
    except (OSError, ValueError):
        discard(name, say)
        return None


def discard(name: str, say: Callable[[str], None]) -> None:
    """Remove a kept build that was found to be damaged."""
    say(f"The kept build {name} is damaged, so it is made anew.")
    remove(name)


def _copied(folder: Path, archive: Path) -> Taken:
    record = _read(folder)
    if _copy(folder / ARCHIVE, archive) != record.sha256:
        raise ValueError("another checksum")
    with (folder / LOG).open("rb") as stream:
        log = stream.read(LOG_LIMIT)
    os.utime(folder)  # so that it is not the next to go
    return Taken(record, archive, log)


def _read(folder: Path) -> KeptBuild:
    with (folder / RECORD).open("rb") as stream:
        return KeptBuild.model_validate_json(stream.read(RECORD_LIMIT))


def _copy(source: Path, target: Path) -> str:
    """Copy a file; its checksum."""
    found = hashlib.sha256()
    with source.open("rb") as stream, target.open("wb") as copy:
        while piece := stream.read(PIECE):
            found.update(piece)
            copy.write(piece)
    return found.hexdigest()


def keep(name: str, taken: Taken, scratch: Path) -> None:
    """Put a build into the cache, whole or not at all, by way of `scratch`, and remove what is too much.

    `taken.record.sha256` is filled in here.
    """
    draft = scratch / name
    draft.mkdir()
    checksum = _copy(taken.archive, draft / ARCHIVE)
    (draft / LOG).write_bytes(taken.log[-LOG_LIMIT:])
    record = taken.record.model_copy(update={"sha256": checksum})
    (draft / RECORD).write_text(record.model_dump_json(), encoding="utf-8")
    with _locked():
        _discard(paths.builds_folder() / name)
        draft.rename(paths.builds_folder() / name)
        _prune()


def stored() -> list[Stored]:
    """All kept builds, the one last used first."""
    found = [path for path in paths.builds_folder().glob("*") if NAME.fullmatch(path.name)]
    return sorted(map(_describe, found), key=lambda one: -one.used)


def _describe(folder: Path) -> Stored:
    size = sum(path.lstat().st_size for path in folder.glob("*"))
    return Stored(folder.name, folder, size, folder.lstat().st_mtime)


def remove(name: str) -> None:
    """Remove a kept build, if it is there.

    Raises:
        UsageError: no build has such a name.
        TimeoutError: another run is busy with them for too long.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} is not the name of a kept build.", hint="pytest-ixy builds list")
    with _locked():
        _discard(paths.builds_folder() / name)


def _prune() -> None:
    """Remove what nobody used for long, and what there is no room for."""
    room, now = ROOM, time.time()
    for one in stored():
        room -= one.size
        if room < 0 or now - one.used > UNUSED:
            _discard(one.folder)


def _discard(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _locked() -> Iterator[None]:
    """Only one process at a time copies, writes or removes; TimeoutError when another takes too long."""
    from filelock import FileLock

    folder = paths.builds_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock", timeout=PATIENCE):
        yield
