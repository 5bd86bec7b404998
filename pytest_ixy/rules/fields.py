"""What the bytes of a frame are called."""

from __future__ import annotations

from pytest_ixy.dialect import PAYLOAD_AT, Dialect

FIELDS = {
    6: "destination MAC",
    12: "source MAC",
    14: "EtherType",
    15: "IP version and header length",
    16: "type of service",
    18: "IP total length",
    20: "IP identification",
    22: "IP fragment",
    23: "time to live",
    24: "IP protocol",
    26: "IP checksum",
    30: "source IP",
    34: "destination IP",
    36: "source port",
    38: "destination port",
    40: "UDP length",
    PAYLOAD_AT: "UDP checksum",
}
"""By the offset behind them, in a frame without VLAN tags and IP options."""


def field(at: int, dialect: Dialect) -> str:
    """What stands at an offset in a dialect's packets; the payload is counted from 0."""
    if at >= PAYLOAD_AT - 8 + dialect.udp_length:
        return "behind the UDP packet"
    return next((name for end, name in FIELDS.items() if at < end), f"payload {at - PAYLOAD_AT}")
