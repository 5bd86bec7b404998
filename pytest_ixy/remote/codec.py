"""zstd on this side of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

_CHUNK = 256 * 1024


def inflate(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Decompress a zstd stream as it comes; more than `limit` bytes are refused."""
    import zstandard

    decoder = zstandard.ZstdDecompressor().decompressobj(write_size=_CHUNK)
    done = 0
    try:
        for piece in pieces:
            if decoder.eof:
                break
            clear = decoder.decompress(piece)
            done += len(clear)
            if done > limit:
                raise LabError(f"more than the {limit:,} bytes that were announced")
            if clear:
                yield clear
    except zstandard.ZstdError as error:
        raise LabError(f"broken zstd stream: {error}") from error


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
