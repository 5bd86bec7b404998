"""Files to and from a node, through programs that every node has: cat, tar, zstd."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.remote.codec import inflate, read_archive
from pytest_ixy.remote.number import read_number
from pytest_ixy.remote.pipe import Pipe, RemoteFileMissing, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from pytest_ixy.remote.link import Link

    Begun = Callable[[Path, int], None]
    Piece = bytes | memoryview

_CHUNK = 256 * 1024

_UPLOAD = """
umask 077; part=$1.part.$$
trap 'rm -f -- "$part"' EXIT
mkdir -p -- "$(dirname -- "$1")" && cat >"$part" && size=$(stat -c %s -- "$part") || exit 1
[ "$size" = "$2" ] || { echo "only $size of $2 bytes arrived" >&2; exit 1; }
chmod "$3" -- "$part" && mv -fT -- "$part" "$1"
"""

_UNPACK = """
set -o pipefail
if command -v zstd >/dev/null; then how=zstd; else how=plain; fi
echo "ixy: $how" >&2
mkdir -p -- "$1" || exit 1
case $how in
    zstd) zstd -dcq | tar -x --no-same-owner -C "$1" -f - ;;
    plain) tar -x --no-same-owner -C "$1" -f - ;;
esac && exit
full=$1/.full.$$  # tar may only say that a write was short; this tells whether the disk is full
head -c 65536 /dev/zero >"$full"
rm -f -- "$full"
exit 1
"""

_PACK = """
set -o pipefail
command -v zstd >/dev/null || { echo "there is no zstd" >&2; exit 1; }
tar -c -C "$1" -f - . | zstd -1 -T0 -cq
"""

_FETCH = """
[ -f "$1" ] || { echo "ixy: missing" >&2; exit 1; }
size=$(stat -Lc %s -- "$1") || exit 1
if command -v zstd >/dev/null; then
    echo "ixy: $size zstd" >&2
    exec zstd -1 -T0 -cq <"$1"
else
    echo "ixy: $size plain" >&2
    exec cat <"$1"
fi
"""


@dataclass(frozen=True)
class Transfer:
    """What the ways of moving files have in common; see `Host.upload`, `unpack` and `fetch`."""

    link: Link
    timeout: float
    root: bool
    progress: Callable[[int], None] | None

    def upload(self, data: bytes | Path, remote: str, mode: int) -> None:
        """Write one file on the node."""
        remote = _anchored(remote)
        with _source(data) as stream:
            size = len(data) if isinstance(data, bytes) else data.stat().st_size
            with self._pipe(f"writing {remote}", _UPLOAD, remote, str(size), f"{mode:o}") as pipe:
                pipe.send(_chunks(stream), self.progress)
                pipe.finish()

    def unpack(self, archive: Path, folder: str) -> None:
        """Unpack a `.tar.zst` on the node, decompressed on this side where it has no zstd."""
        folder = _anchored(folder)
        with _source(archive) as stream, self._pipe(f"unpacking into {folder}", _UNPACK, folder) as pipe:
            packed = pipe.header() == ["zstd"]
            pipe.send(_chunks(stream) if packed else read_archive(stream), self.progress)
            pipe.finish()

    def pack(self, folder: str, local: Path, limit: int) -> int:
        """Pack a folder of the node into a local `.tar.zst`."""
        folder, done = _anchored(folder), 0
        with self._pipe(f"packing {folder}", _PACK, folder) as pipe, _draft(local) as part:
            with part.open("wb") as file:
                for piece in pipe.receive():
                    done += file.write(piece)
                    if done > limit:
                        raise pipe.failure(f"it has more than the {limit:,} bytes allowed")
            pipe.finish()
        return done

    def fetch(self, remote: str, local: Path, limit: int | None, begun: Begun | None) -> int:
        """Copy one file from the node."""
        remote = _anchored(remote)
        with self._pipe(f"reading {remote}", _FETCH, remote) as pipe:
            header = pipe.header()
            if header == ["missing"]:
                raise RemoteFileMissing(f"node {self.link.access.name}: there is no file {one_line(remote)}")
            size, packed = _announced(pipe, header)
            if limit is not None and size > limit:
                raise pipe.failure(f"it has {size:,} bytes, more than the {limit:,} allowed")
            with _draft(local) as part, part.open("wb") as file:
                if begun:
                    begun(part, size)
                pieces = pipe.receive()
                self._store(pipe, inflate(pieces) if packed else pieces, file, size)
        return size

    def _pipe(self, doing: str, script: str, *arguments: str) -> Pipe:
        return Pipe(self.link, Task(one_line(doing), self.timeout, self.root), script, *arguments)

    def _store(self, pipe: Pipe, pieces: Iterator[Piece], file: BinaryIO, size: int) -> None:
        """Write the first `size` bytes; there are more when the file on the node has grown."""
        done = 0
        for piece in pieces:
            if done == size:
                return
            file.write(piece[: size - done])
            file.flush()
            done += len(piece[: size - done])
            if self.progress:
                self.progress(done)
        pipe.finish()
        if done < size:
            raise pipe.failure(f"{done:,} of {size:,} bytes came")


def _announced(pipe: Pipe, header: list[str]) -> tuple[int, bool]:
    """Size of the file that comes, and whether it comes packed."""
    if len(header) != 2 or header[1] not in {"zstd", "plain"}:  # noqa: PLR2004 - a size and a word
        raise pipe.failure(f"the node announced {one_line(' '.join(header)[:80])!r}, which makes no sense")
    try:
        return read_number(header[0]), header[1] == "zstd"
    except LabError as error:
        raise pipe.failure(error.what) from error


@contextmanager
def _draft(local: Path) -> Iterator[Path]:
    """`local.part`, which becomes `local` when the block succeeds and is removed otherwise."""
    part = local.with_name(local.name + ".part")
    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(local)
    except OSError as error:
        raise LabError(f"cannot write {part}: {error.strerror}", hint="free some space there") from error
    finally:
        part.unlink(missing_ok=True)


def _anchored(remote: str) -> str:
    """A path that no program takes for an option or a stream."""
    if not remote or "\0" in remote:
        raise UsageError(f"not a path on a node: {remote!r}")
    return remote if remote.startswith("/") else f"./{remote}"


@contextmanager
def _source(data: bytes | Path) -> Iterator[BinaryIO]:
    if isinstance(data, bytes):
        yield BytesIO(data)
        return
    try:
        stream = data.open("rb")
    except OSError as error:
        raise LabError(f"cannot read {data}: {error.strerror}") from error
    with stream:
        yield stream


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_CHUNK):
        yield piece
