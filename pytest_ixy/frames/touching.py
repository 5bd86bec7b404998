"""What the forwarder makes of a frame: as the dialect says, or learned where nobody has said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.dialect import Dialect

MOST = 4
"""Bytes that a forwarder touches at most."""


def touched(frame: bytes, dialect: Dialect) -> bytes:
    """The frame behind the forwarder: it touches places in the frame, whatever stands there."""
    length = len(frame)
    for touch in dialect.touched:
        template = touch.applied(tuple(frame))
        frame = bytes(byte or 0 for byte in template)[:length]
    return frame


def different(one: bytes, other: bytes) -> frozenset[int]:
    """Places where two frames differ, as far as both have them."""
    return frozenset(at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)


def learned(pairs: Iterable[tuple[bytes, bytes]]) -> frozenset[int]:
    """The few places that differ in each of many frames; none where there are more of them."""
    always: frozenset[int] | None = None
    for right, came in pairs:
        found = different(right, came)
        always = found if always is None else always & found
    return always if always and len(always) <= MOST else frozenset()


def without(frame: bytes, places: frozenset[int]) -> bytes:
    """The frame with those places blanked."""
    if not places:
        return frame
    found = bytearray(frame)
    for at in places:
        found[at : at + 1] = b"\0" if at < len(found) else b""
    return bytes(found)
