"""The formats that a capture can have, and where the lengths stand in the header of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import captures
from captures import Packet

Record = Callable[[Packet], bytes]


@dataclass(frozen=True)
class Format:
    """How a capture is written.

    `captured_at` and `original_at` are the offsets in a record of its two lengths, `order` is their
    byte order as `struct` names it, and `slack` says whether a record is padded and tells its own
    length besides.
    """

    name: str
    order: str
    head: bytes
    record: Record
    captured_at: int
    original_at: int
    slack: bool

    def file(self, packets: Iterable[Packet]) -> bytes:
        return self.head + b"".join(map(self.record, packets))

    def start(self, packets: Iterable[Packet]) -> int:
        """Where the record that follows those packets starts."""
        return len(self.file(packets))


def _classic(name: str, order: str, *, nano: bool) -> Format:
    write = partial(captures.pcap, order=order, nano=nano)
    return Format(name, order, write([]), lambda packet: write([packet])[24:], 8, 12, slack=False)


def _next_generation(name: str, order: str) -> Format:
    record = partial(captures.enhanced, order=order)
    return Format(name, order, captures.pcapng([], order=order), record, 20, 24, slack=True)


FORMATS = (
    _classic("pcap-le-us", "<", nano=False),
    _classic("pcap-be-us", ">", nano=False),
    _classic("pcap-le-ns", "<", nano=True),
    _classic("pcap-be-ns", ">", nano=True),
    _next_generation("pcapng-le", "<"),
    _next_generation("pcapng-be", ">"),
)
