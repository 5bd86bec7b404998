"""The frames of a capture one by one, and no more of them than a trial can have left."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pytest_ixy.errors import UsageError
from pytest_ixy.rules.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ixy.bundle import Bundle

MOST = 20_000
"""Frames of one class; a bundle may come from anywhere."""
LARGEST = 9_000
"""Bytes of one of them."""


def frames(path: Path | None) -> Iterator[bytes]:
    """The frames of a capture; CaptureFlaw after them when it is damaged, nothing when there is none."""
    from pytest_ixy.capture import blocks

    for block in blocks(path) if path else ():
        yield from (block.frame(row) for row in range(block.count))


def sent(bundle: Bundle) -> tuple[bytes, ...]:
    """What was sent, as the bundle has it.

    Raises:
        UsageError: that cannot be read, or is nothing that this program has made.
    """
    from pytest_ixy.capture import CaptureFlaw

    course = bundle.manifest.course
    path = bundle.inside(course.sent) if course and course.sent else None
    try:
        found = tuple(islice(frames(path), MOST + 1))
    except CaptureFlaw as flaw:
        raise UsageError(f"{bundle.path}: what was sent cannot be read: {one_line(str(flaw))}") from None
    if not 1 <= len(found) <= MOST or max(map(len, found)) > LARGEST:
        raise UsageError(f"{bundle.path}: should tell of 1 to {MOST:,} frames that were sent")
    return found
