"""Captures that are compressed or come through a pipe, unpacked onto the disk in small pieces.

A rule that fails looks at the capture a second time, so it has to stand in a file. That file has no
name: it is gone when the process is, however that ends.
"""

from __future__ import annotations

import gzip
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

STDIN = "-"
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

PIECE = 1 << 20
ZSTD_PIECE = 1 << 10
"""Bytes of a zstd stream fed at a time: four of them can stand for 128 KiB."""

FOLDER = Path("/var/tmp")  # noqa: S108 - for large files; /tmp is often in memory. No name is made in it


class BrokenStreamError(Exception):
    """What claims to be compressed cannot be unpacked; the text is a sentence for people."""


@contextmanager
def plain(name: str) -> Iterator[Path]:
    """The path of the capture as an uncompressed regular file, while the context lasts.

    Args:
        name: A path, or `-` for standard input. A regular file that is not compressed, or whatever
            else cannot be unpacked, is given back as it is.

    Raises:
        BrokenStreamError: the compressed stream is damaged or cut.
        OSError: it cannot be read, or the disk is full.
    """
    path = Path(name)
    if name != STDIN and not _worth_opening(path):
        yield path
        return
    with _open(name) as stream:
        head = stream.read(len(ZSTD))
        copy = _copier(head)
        if copy is _copy and name != STDIN and path.is_file():
            yield path
            return
        with tempfile.TemporaryFile(dir=FOLDER if FOLDER.is_dir() else None) as file:
            copy(_Rejoined(head, stream), file)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")


def _worth_opening(path: Path) -> bool:
    """Whether it is a file or a pipe that can be read; what is not is the rules' to tell."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def _open(name: str) -> nullcontext[BinaryIO] | BinaryIO:
    return nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb")


class _Rejoined:
    """A stream of which the first bytes have been looked at."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._rest.read(size)


def _copier(head: bytes) -> Callable[[_Rejoined, BinaryIO], None]:
    if head.startswith(GZIP):
        return _gunzip
    return _unzstd if head == ZSTD else _copy


def _copy(source: _Rejoined, target: BinaryIO) -> None:
    while data := source.read(PIECE):
        target.write(data)


def _gunzip(source: _Rejoined, target: BinaryIO) -> None:
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as stream:  # type: ignore[call-overload]
            while data := stream.read(PIECE):
                target.write(data)
    except EOFError:
        raise BrokenStreamError(_cut("gzip", target)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BrokenStreamError(_damaged("gzip", target, error)) from None


def _unzstd(source: _Rejoined, target: BinaryIO) -> None:
    """Frame after frame. The library's own stream reader takes a cut stream for a whole one."""
    import zstandard

    frame, data = zstandard.ZstdDecompressor().decompressobj(), b""
    try:
        while data := data or source.read(ZSTD_PIECE):
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            target.write(frame.decompress(data))
            data = frame.unused_data
    except zstandard.ZstdError as error:
        raise BrokenStreamError(_damaged("zstd", target, error)) from None
    if not frame.eof:
        raise BrokenStreamError(_cut("zstd", target))


def _cut(kind: str, target: BinaryIO) -> str:
    return f"the {kind} stream is cut: it ends too early, {target.tell():,} bytes were unpacked before that"


def _damaged(kind: str, target: BinaryIO, error: Exception) -> str:
    return f"the {kind} stream is damaged: {error} ({target.tell():,} bytes were unpacked before that)"
