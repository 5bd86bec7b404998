"""What a frame is, found the slow and obvious way: as etherparse 0.9, ixy-ci's parser, would find it.

No numpy, no scapy; one frame after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from slow_reader import Frame

from pytest_ixy.dialect import Dialect

TAGS = {0x8100, 0x88A8, 0x9100}
EXTENSIONS = {0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254}
FRAGMENT = 44
MOST_EXTENSIONS = 12
TCP, UDP = 6, 17

UNREADABLE, UNTOLD, OTHER, FOUND = "unreadable", "untold", "other", "udp"
"""What a frame is: one that cannot be parsed; one that the snap length cut where it cannot be told;
one without UDP; one with."""


class Short(Exception):  # noqa: N818
    """The frame ends where a header should go on."""


class Nonsense(Exception):  # noqa: N818
    """A header contradicts itself."""


@dataclass(frozen=True)
class Packet:
    """A frame as ixy-ci sees it.

    Attributes:
        kind: UNREADABLE, UNTOLD, OTHER or FOUND.
        frame: The frame.
        dialect: What it should look like.
        at: Where the UDP header starts.
        network: Where the IP header starts.
        version: Of IP, 0 for none.
    """

    kind: str
    frame: Frame
    dialect: Dialect
    at: int = 0
    network: int = 0
    version: int = 0

    @property
    def data(self) -> bytes:
        return self.frame.data

    @property
    def udp_length(self) -> int:
        return int.from_bytes(self.data[self.at + 4 : self.at + 6], "big")

    @property
    def payload(self) -> bytes:
        return self.data[self.at + 8 :]

    @property
    def shaped(self) -> bool:
        """True for packets of the dialect of which all of UDP was captured."""
        right = self.kind == FOUND and self.udp_length == self.dialect.udp_length
        return right and self._magical and len(self.data) >= self.at + self.dialect.udp_length

    @property
    def _magical(self) -> bool:
        return self.payload.startswith(self.dialect.magic.encode())

    @property
    def any_number(self) -> int | None:
        """What stands where the sequence number is, None for other packets and where it was cut off."""
        number = self.dialect.number
        if number is None or not self.shaped:
            return None
        at = self.at + number.at - 34
        found = self.data[at : at + number.width]
        return int.from_bytes(found, number.order) if len(found) == number.width else None

    @property
    def number(self) -> int | None:
        """The sequence number, None for packets that have none."""
        found = self.any_number
        return found if found is not None and found < 2**32 else None

    @property
    def misshapen(self) -> bool:
        """True for UDP packets that do not have the dialect's structure."""
        if self.kind != FOUND:
            return False
        if self.udp_length != self.dialect.udp_length or self.any_number != self.number:
            return True
        cut = len(self.data) < self.frame.original and len(self.payload) < len(self.dialect.magic)
        return not self._magical and not cut


def parse(frame: Frame, dialect: Dialect) -> Packet:
    try:
        kind, at, network, version = _ethernet(frame.data)
    except Nonsense:
        return Packet(UNREADABLE, frame, dialect)
    except Short:
        return Packet(UNTOLD if len(frame.data) < frame.original else UNREADABLE, frame, dialect)
    return Packet(kind, frame, dialect, at, network, version)


def _need(data: bytes, size: int) -> None:
    if len(data) < size:
        raise Short


def _ethernet(data: bytes) -> tuple[str, int, int, int]:
    _need(data, 14)
    at, kind = 14, int.from_bytes(data[12:14], "big")
    for _ in range(2):
        if kind in TAGS:
            _need(data, at + 4)
            kind = int.from_bytes(data[at + 2 : at + 4], "big")
            at += 4
    if kind == 0x0800:
        return *_ipv4(data, at), at, 4
    if kind == 0x86DD:
        return *_ipv6(data, at), at, 6
    return OTHER, 0, 0, 0


def _ipv4(data: bytes, at: int) -> tuple[str, int]:
    _need(data, at + 20)
    version, words = data[at] >> 4, data[at] & 15
    if version != 4 or words < 5 or int.from_bytes(data[at + 2 : at + 4], "big") < words * 4:
        raise Nonsense
    _need(data, at + words * 4)
    return _transport(data, at + words * 4, data[at + 9])


def _ipv6(data: bytes, at: int) -> tuple[str, int]:
    _need(data, at + 40)
    if data[at] >> 4 != 6:
        raise Nonsense
    protocol = data[at + 6]
    at += 40
    for _ in range(MOST_EXTENSIONS):
        if protocol in EXTENSIONS:
            _need(data, at + 8)
            size = 8 if protocol == FRAGMENT else (data[at + 1] + 1) * 8
            _need(data, at + size)
            protocol, at = data[at], at + size
    if protocol in EXTENSIONS:
        raise Nonsense
    return _transport(data, at, protocol)


def _transport(data: bytes, at: int, protocol: int) -> tuple[str, int]:
    if protocol == UDP:
        _need(data, at + 8)
        return FOUND, at
    if protocol == TCP:
        _need(data, at + 20)
        size = (data[at + 12] >> 4) * 4
        if size < 20:
            raise Nonsense
        _need(data, at + size)
    return OTHER, 0
