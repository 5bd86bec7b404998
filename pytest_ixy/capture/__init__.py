"""Captures (pcap and pcapng) as columns, in one pass over a bounded buffer.

`blocks` yields the records of a file in batches of four mebibytes: where each frame starts in the
buffer, how long it is and when it was captured; and, where that is cheap, the frames side by side
with the bits that are not the same in all of them. Nobody makes an object per packet, the file is
never in memory as a whole, and what follows a damaged place is not guessed at.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_ixy.capture import pcap, pcapng
from pytest_ixy.capture.block import MARGIN, Block, Column, Frames
from pytest_ixy.capture.flaw import CaptureFlaw, Flaw
from pytest_ixy.capture.growing import Growing
from pytest_ixy.capture.rows import Bytes, Rows, varying
from pytest_ixy.capture.stored import Stored
from pytest_ixy.capture.times import Stamps, Times
from pytest_ixy.capture.window import Window

__all__ = [
    "MARGIN",
    "Block",
    "Bytes",
    "CaptureFlaw",
    "Column",
    "Flaw",
    "Frames",
    "Growing",
    "Rows",
    "Stamps",
    "Times",
    "blocks",
    "varying",
]


def blocks(source: Path | Growing) -> Iterator[Block]:
    """The records of a capture in file order, batch after batch; of one that grows, as far as it has come.

    Columns are the caller's to keep; a block makes them when they are asked for, out of a buffer that is
    overwritten when the next block is asked for. `rows` are views of that buffer.

    Raises:
        CaptureFlaw: the file is missing, empty, no capture, cut or damaged. It is raised after
            every record before the flaw has been yielded.
        GivenUpError, OSError: a growing file came to nothing, or cannot be read.
    """
    yield from _read(Window(source)) if isinstance(source, Growing) else _stored(source)


def _stored(path: Path) -> Iterator[Block]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CaptureFlaw(Flaw.UNREADABLE, f"{path.name} is not a regular file")
        with Stored(path) as file:
            yield from _read(Window(file))
    except FileNotFoundError as error:
        raise CaptureFlaw(Flaw.MISSING, f"there is no capture: {path.name} does not exist") from error
    except OSError as error:
        words = f"the capture {path.name} cannot be read: {error.strerror}"
        raise CaptureFlaw(Flaw.UNREADABLE, words) from error


def _read(window: Window) -> Iterator[Block]:
    if not window.refill():
        raise CaptureFlaw(Flaw.EMPTY, "the capture is an empty file (0 bytes)")
    head = bytes(window.data[: min(4, window.end)])
    readers = {**dict.fromkeys(pcap.FORMATS, pcap.read), pcapng.MAGIC: pcapng.read}
    if head in readers:
        return readers[head](window)
    if len(head) < len(pcapng.MAGIC) and any(magic.startswith(head) for magic in readers):
        raise CaptureFlaw.header(window.end, 24)
    shown = head.hex(" ")
    raise CaptureFlaw(
        Flaw.FOREIGN, f"the file is not a capture: it starts with {shown}, which is no mark of pcap or pcapng"
    )
