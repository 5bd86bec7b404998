"""zstd on this side of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_ixy.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CHUNK = 256 * 1024
_ROOM = 1 << 20


def inflate(pieces: Iterator[bytes]) -> Iterator[memoryview]:
    """Decompress a zstd stream as it comes, a cut one as far as it goes.

    All that is yielded is the same memory: what it holds is gone when the next piece is asked for.

    Raises:
        LabError: it is not zstd.
    """
    import zstandard

    room = memoryview(bytearray(_ROOM))
    try:
        with zstandard.ZstdDecompressor().stream_reader(cast("BinaryIO", _Stream(pieces))) as reader:
            while size := reader.readinto(room):
                yield room[:size]
    except zstandard.ZstdError as error:
        raise LabError(f"broken zstd stream: {error}") from error


class _Stream:
    """Pieces as what the library reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        """The next piece, whatever its size; empty at the end."""
        return next(self._pieces, b"")


def read_archive(stream: BinaryIO) -> Iterator[bytes]:
    """The content of a local zstd file.

    Raises:
        LabError: it is not zstd.
    """
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True) as reader:
            while piece := reader.read(_CHUNK):
                yield piece
    except zstandard.ZstdError as error:
        raise LabError(f"not a zstd archive: {error}") from error
