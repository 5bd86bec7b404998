"""Frames to be sent, and when: what the reference pktgen sends where it is not a dialect's packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
RECORD = 16
BEGIN = 1_600_000_000


@dataclass(frozen=True)
class Traffic:
    """Frames and their rhythm.

    Attributes:
        name: Of the class of frames.
        frames: Each without its frame check sequence.
        times: Seconds after the first, for each.
    """

    name: str
    frames: tuple[bytes, ...]
    times: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """How long it takes to send them."""
        return self.times[-1]

    @property
    def size(self) -> int:
        """Bytes of a classic capture of them."""
        return len(HEADER) + sum(RECORD + len(frame) for frame in self.frames)

    def pcap(self) -> bytes:
        """A classic capture of them, which tells the rhythm too."""
        parts = [HEADER]
        for frame, time in zip(self.frames, self.times, strict=True):
            seconds, micro = divmod(round(time * 1_000_000), 1_000_000)
            parts += [struct.pack("<IIII", BEGIN + seconds, micro, len(frame), len(frame)), frame]
        return b"".join(parts)


def evenly(name: str, frames: tuple[bytes, ...], gap: float) -> Traffic:
    """Frames that are so many seconds apart."""
    return Traffic(name, frames, tuple(number * gap for number in range(len(frames))))
