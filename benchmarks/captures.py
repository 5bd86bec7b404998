"""Captures of any size for the benchmarks, written in pieces."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
FRAME = bytes.fromhex(
    "010203040506 101010101010 08004500002e 00000000 401166bd 0a000001 0a000002002a 0539 001a 0000"
    "697879 0000000000000000000000 00000000"
)
RECORD = 16 + len(FRAME)
LONG = 1514
PIECE = 100_000

Rows = NDArray[np.uint8]


def good(first: int, count: int) -> Rows:
    """Records of ixy's packets from number `first` on, one row each."""
    rows = np.tile(np.frombuffer(bytes(16) + FRAME, np.uint8), (count, 1))
    numbers = np.arange(first, first + count)
    _set(rows, 0, 1_700_000_000 + numbers // 1_000_000)
    _set(rows, 4, numbers % 1_000_000)
    _set(rows, 8, len(FRAME))
    _set(rows, 12, len(FRAME))
    _set(rows, RECORD - 4, numbers)
    return rows


def _set(rows: Rows, at: int, values: int | NDArray[np.int64]) -> None:
    rows[:, at : at + 4] = np.broadcast_to(values, len(rows)).astype("<u4")[:, None].view(np.uint8)


def _resized(row: Rows, size: int) -> bytes:
    """The record as one of `size` bytes: padded or cut."""
    data = row.tobytes()
    return data[:8] + struct.pack("<II", size, size) + data[16 : 16 + size].ljust(size, b"\xee")


def uniform(count: int, seed: int) -> Iterator[bytes]:  # noqa: ARG001
    """Nothing but good packets."""
    for first in range(0, count, PIECE):
        yield good(first, min(PIECE, count - first)).tobytes()


def foreign(count: int, seed: int) -> Iterator[bytes]:
    """A frame of another protocol and size after every hundredth packet on average."""
    random = np.random.default_rng(seed)
    for first in range(0, count, PIECE):
        rows = good(first, min(PIECE, count - first))
        places = np.flatnonzero(random.random(len(rows)) < 0.01)  # noqa: PLR2004
        for part, place in zip(np.split(rows, places), [*places.tolist(), None], strict=True):
            yield part.tobytes()
            if place is not None:
                record = bytearray(_resized(rows[place], int(random.integers(42, 600))))
                record[16 + 12 : 16 + 14] = b"\x08\x06"
                yield bytes(record)


def sizes(count: int, seed: int) -> Iterator[bytes]:
    """Every record of another size than the one before it."""
    random = np.random.default_rng(seed)
    for first in range(0, count, PIECE):
        rows = good(first, min(PIECE, count - first))
        steps = np.cumsum(random.integers(1, 64, len(rows))) % 64
        yield b"".join(_resized(row, 60 + step) for row, step in zip(rows, steps.tolist(), strict=True))


def faulty(count: int, seed: int) -> Iterator[bytes]:
    """In every thousand packets one each lost, repeated (near and far), swapped, damaged and longer."""
    random = np.random.default_rng(seed)
    for first in range(0, count, PIECE):
        rows = good(first, min(PIECE, count - first))
        lost, near, far, late, damaged, longer = random.integers(2, len(rows), (6, len(rows) // 1000))
        rows[near, -4:] = rows[near - 1, -4:]
        _set_each(rows, far, random.integers(0, first + 1, far.size))
        rows[late], rows[late - 1] = rows[late - 1], rows[late].copy()
        rows[damaged, 16 + 42 + damaged % 3] ^= 1 << (damaged % 8).astype(np.uint8)
        records = [row.tobytes() for row in rows]
        for place in longer:
            records[place] = _resized(rows[place], 64)
        for place in sorted({*lost.tolist()}, reverse=True):
            del records[place]
        yield b"".join(records)


def _set_each(rows: Rows, places: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
    rows[places, -4:] = numbers.astype("<u4")[:, None].view(np.uint8)


def noise(count: int, seed: int) -> Iterator[bytes]:
    """Long frames of ixy's, filled up with random bytes, which nothing can compress."""
    random = np.random.default_rng(seed)
    for first in range(0, count, PIECE // 10):
        rows = good(first, min(PIECE // 10, count - first))
        _set(rows, 8, LONG)
        _set(rows, 12, LONG)
        filling = random.integers(0, 256, (len(rows), LONG - len(FRAME)), dtype=np.uint8)
        yield np.hstack((rows, filling)).tobytes()


KINDS: dict[str, Callable[[int, int], Iterator[bytes]]] = {
    "uniform": uniform,
    "foreign": foreign,
    "sizes": sizes,
    "faulty": faulty,
    "noise": noise,
}


def _blocks(piece: bytes) -> Iterator[bytes]:
    """Records of classic pcap as pcapng's blocks."""
    at = 0
    while at < len(piece):
        seconds, micros, captured, original = struct.unpack_from("<4I", piece, at)
        time, total = seconds * 1_000_000 + micros, 32 + (captured + 3) // 4 * 4
        yield struct.pack("<7I", 6, total, 0, time >> 32, time & 0xFFFF_FFFF, captured, original)
        yield piece[at + 16 : at + 16 + captured].ljust(total - 32, b"\0")
        yield struct.pack("<I", total)
        at += 16 + captured


def write_pcapng(path: Path, kind: str, count: int, seed: int = 1) -> None:
    """The same packets in the other format."""
    with path.open("wb") as file:
        file.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
        file.write(struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20))
        for piece in KINDS[kind](count, seed):
            file.write(b"".join(_blocks(piece)))


def write(path: Path, kind: str, count: int, seed: int = 1) -> None:
    """A capture of that kind with `count` packets before faults."""
    with path.open("wb") as file:
        file.write(HEADER)
        file.writelines(KINDS[kind](count, seed))
