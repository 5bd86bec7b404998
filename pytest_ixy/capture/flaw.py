"""What can be wrong with a capture file, each with words of its own."""

from __future__ import annotations

from enum import StrEnum

ETHERNET = 1
LONGEST_FRAME = 262_144
"""Bytes; libpcap's own bound (MAXIMUM_SNAPLEN). A longer record is damage, not a frame."""


class Flaw(StrEnum):
    """The kinds of flaw."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    FOREIGN = "not a capture"
    HEADER = "header cut"
    LINK_TYPE = "other link type"
    CUT = "cut"
    CORRUPT = "corrupt"


class CaptureFlaw(Exception):  # noqa: N818  (a flaw is found in the file; it is not an error of the program)
    """Why a capture could not be read to its end; the text is a sentence for people.

    Attributes:
        kind: Which flaw.
        frame: 1-based number of the frame that could not be read, None when there is no such.
        byte: Offset in the file where its record starts.
    """

    def __init__(self, kind: Flaw, words: str, *, frame: int | None = None, byte: int | None = None) -> None:
        super().__init__(words)
        self.kind = kind
        self.frame = frame
        self.byte = byte

    @classmethod
    def header(cls, there: int, needed: int) -> CaptureFlaw:
        """The file ends before its first record could begin."""
        words = f"the capture ends inside its file header: {there} bytes, {needed} needed"
        return cls(Flaw.HEADER, words, byte=0)

    @classmethod
    def cut(cls, frame: int, byte: int, there: int) -> CaptureFlaw:
        """The file ends in the middle of a record."""
        words = f"the capture is cut: it ends in the middle of the record of frame {frame:,}, {there:,} bytes"
        return cls(Flaw.CUT, f"{words} after its start at byte {byte:,}", frame=frame, byte=byte)

    @classmethod
    def corrupt(cls, frame: int, byte: int, why: str) -> CaptureFlaw:
        """A record that no program can have meant."""
        words = f"the capture is damaged at frame {frame:,} (byte {byte:,}): {why}"
        return cls(Flaw.CORRUPT, words, frame=frame, byte=byte)

    @classmethod
    def link_type(cls, link: int, frame: int, byte: int) -> CaptureFlaw:
        """Frames that are not Ethernet's."""
        words = f"the link type of frame {frame:,} is {link}, not Ethernet ({ETHERNET})"
        return cls(Flaw.LINK_TYPE, words, frame=frame, byte=byte)
