"""What is on record of a crash."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pytest_ixy.record import Record

FRAMES, SHOWN, LONGEST = 20, 6000, 200
"""Frames, characters of the text and of a line that a manifest may have; the whole is a file of its own."""

Line = Annotated[str, Field(max_length=LONGEST)]


class Crash(Record):
    """What a role left that tells why it ended, or what was wrong with it.

    Attributes:
        what: Such as `SIGSEGV` or `AddressSanitizer: heap-buffer-overflow`.
        fingerprint: The same for the same crash in another run.
        frames: Where it was, innermost first, without addresses.
        text: Backtrace or report, from its beginning.
        kernel: Lines of the node's kernel that tell of it.
        file: The whole report in the bundle; None when `text` is all.
        core: The core dump, packed, in the bundle: where the node had no gdb.
        earlier: Earlier trials that are kept and had the same crash.
        first: Date and target of the first of these.
    """

    what: Line
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    frames: Annotated[tuple[Line, ...], Field(max_length=FRAMES)] = ()
    text: Annotated[str, Field(max_length=SHOWN)] = ""
    kernel: Annotated[tuple[Line, ...], Field(max_length=40)] = ()
    file: str | None = None
    core: str | None = None
    earlier: int = 0
    first: Line = ""
