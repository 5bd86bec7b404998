"""The machine images that are kept in the user's cache: listed, and removed when nobody uses them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import paths
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.qemu import recipe
from pytest_ixy.providers.qemu.machine import quote

NAME = re.compile(r"(cloud-)?[0-9a-f]{12}")


@dataclass(frozen=True)
class Stored:
    """An image in the cache.

    Attributes:
        name: As in its folder's name.
        folder: Where it is.
        kind: `current` or `old` recipe, `cloud` for a user's own image, `broken` without a disk.
        size: Bytes that removing it frees.
        made: Seconds since 1970.
        states: How many booted machines are kept of it.
    """

    name: str
    folder: Path
    kind: str
    size: int
    made: float
    states: int


def stored() -> list[Stored]:
    """All images in the cache, the newest first."""
    folder = paths.images_folder()
    found = [path for path in folder.glob("*") if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted((_describe(path) for path in found), key=lambda image: -image.made)


def _describe(folder: Path) -> Stored:
    states = len(list(folder.glob("state-*/memory")))
    return Stored(folder.name, folder, _kind(folder), _allocated(folder), _made(folder), states)


def _kind(folder: Path) -> str:
    if folder.name.startswith("cloud-"):
        return "cloud"
    if not (folder / "disk").exists():
        return "broken"
    return "current" if folder.name == recipe.digest() else "old"


def _made(folder: Path) -> float:
    """Keys are the first that is made of an image, and never change."""
    key = folder / "key"
    return (key if key.exists() else folder).lstat().st_mtime


def _allocated(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


def named(name: str) -> Stored:
    """The image of that name.

    Raises:
        UsageError: there is none.
    """
    for image in stored():
        if image.name == name:
            return image
    names = ", ".join(image.name for image in stored()) or "none at all"
    raise UsageError(f"There is no image {name!r} in {paths.images_folder()}.", hint=f"there is {names}")


def users(folder: Path) -> list[int]:
    """Ids of the QEMU processes that have something in `folder` on their command line."""
    prefixes = (f"{folder}/".encode(), f"{quote(folder)}/".encode())
    found = (path for path in Path("/proc").iterdir() if path.name.isdigit())
    return [int(path.name) for path in found if _uses(path, prefixes)]


def _uses(process: Path, prefixes: tuple[bytes, ...]) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    program = command.partition(b"\0")[0].rpartition(b"/")[2]
    return program.startswith(b"qemu") and any(prefix in command for prefix in prefixes)


def check_unused(name: str, folder: Path) -> None:
    """Raise LabError when a machine runs from the image in `folder`."""
    if found := users(folder):
        who = ", ".join(str(pid) for pid in found)
        raise LabError(
            f"The image {name} is in use by a run that is going on (QEMU's process {who}).",
            hint="wait for the run to end; after a killed one: pytest-ixy sweep",
        )


def remove(image: Stored, scratch: Path) -> None:
    """Remove an image with its saved states, by way of `scratch`: it is there or gone, never in pieces.

    Raises:
        LabError: it is in use or being made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(f"{image.folder}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LabError(f"The image {image.name} is being made by another run.") from error
    try:
        check_unused(image.name, image.folder)
        image.folder.rename(scratch / image.name)
        Path(lock.lock_file).unlink(missing_ok=True)
    finally:
        lock.release()
