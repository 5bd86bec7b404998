"""Bytes as they come become lines of printable text, whatever is in them and however they are cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HALF = 4096
"""Bytes of a line that are kept at its beginning, and again at its end."""
SEAM = "\n"
"""Stands in a line where its middle was left out; nowhere else is there a line end in one."""
_END = re.compile(rb"([\r\n])")
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, places
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles
    r"|\x1b[ -/]*[0-Z\\^-~]"
)


@dataclass(frozen=True)
class Line:
    """One line, or one state of a line that a carriage return overwrote.

    Attributes:
        number: Which line of the stream, counted from 1 by line feeds.
        text: All that is printable of it.
        whole: Whether its end came.
    """

    number: int
    text: str
    whole: bool = True


class Lines:
    """Takes a stream in pieces of any size; memory stays bounded however long a line is."""

    def __init__(self) -> None:
        self._number = 1
        self._head, self._tail, self._length = bytearray(), bytearray(), 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that are complete now, without the empty ones."""
        for piece in _END.split(data):
            if piece not in {b"\n", b"\r"}:
                self._add(piece)
                continue
            yield from self._line(whole=True)
            self._number += piece == b"\n"

    def finish(self) -> Iterator[Line]:
        """What came behind the last line end."""
        yield from self._line(whole=False)

    def _add(self, piece: bytes) -> None:
        room = HALF - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        del self._tail[:-HALF]
        self._length += len(piece)

    def _line(self, *, whole: bool) -> Iterator[Line]:
        seam = SEAM.encode() if self._length > 2 * HALF else b""
        text = printable(bytes(self._head + seam + self._tail)).strip()
        self._head, self._tail, self._length = bytearray(), bytearray(), 0
        if text:
            yield Line(self._number, text, whole)


def printable(data: bytes) -> str:
    """Text of bytes in UTF-8 or else Latin-1, without escape sequences and whatever else is not printed."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = _ESCAPE.sub("", text).replace("\t", " ")
    return "".join(char for char in text if char.isprintable() or char == SEAM)
