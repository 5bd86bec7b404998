"""A target's folder as one compressed archive, to be sent to the nodes."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# One time for all files: in the past for any machine's clock, and no file newer than another, so that
# make does not rebuild what was committed as built.
_TIME = 1_600_000_000


def pack(folder: Path, out: Path) -> int:
    """Write all of a folder, with its `.git`, to `out` as tar.zst; its size in bytes.

    Names are relative to the folder and sorted; owners and times are the same for all.
    """
    import zstandard

    with (
        out.open("wb") as stream,
        zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(stream) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _entries(folder):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=_plain)
    return out.stat().st_size


def content(folder: Path) -> str:
    """A hash of all in a folder that a commit can hold: names, modes and contents, without any `.git`."""
    whole = hashlib.sha256()
    for path in _entries(folder):
        name = path.relative_to(folder)
        if ".git" not in name.parts and (path.is_symlink() or path.is_file()):
            whole.update(
                f"{len(str(name))} {_kind(path)} {_hash(path)} {name}\n".encode(errors="surrogateescape")
            )
    return whole.hexdigest()


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "link"
    return "program" if path.stat().st_mode & 0o100 else "file"


def _hash(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(bytes(path.readlink())).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _entries(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _entries(path)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = _TIME
    return entry if entry.isreg() or entry.isdir() or entry.issym() or entry.islnk() else None
