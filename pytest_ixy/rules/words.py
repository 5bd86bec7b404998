"""Bytes and output of a target in words that cannot harm a terminal."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from pytest_ixy.printable import one_line, plain
from pytest_ixy.thrift import thrift

__all__ = ["all_have", "count", "decoded", "hexdump", "nearest", "one_line", "plain", "shortened"]

ROW = 16
SHOWN = 160
"""Bytes of a frame that a dump shows: ten rows say enough about a frame that should have 60."""
DECODED, WIDEST = 1514, 200
"""Bytes that scapy gets to see and characters of a line: a hostile frame nests and stretches at will."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean …?` when a known name is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def count(number: int, noun: str) -> str:
    """`1 packet`, `2,163 packets`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def all_have(number: int, noun: str) -> str:
    """`the one packet has`, `all 2,163 packets have`."""
    return f"the one {noun} has" if number == 1 else f"all {count(number, noun)} have"


def hexdump(data: bytes, marked: Collection[int] = (), begin: int = 0) -> list[str]:
    """Rows of 16 bytes, from the row of byte `begin` on; under each marked byte stand two carets."""
    begin -= begin % ROW
    end = min(len(data), begin + SHOWN)
    lines = [f"      … {begin:,} bytes before"] if begin else []
    for start in range(begin, end, ROW):
        row = data[start : start + ROW]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)  # noqa: PLR2004
        lines.append(f"{start:04x}  {row.hex(' '):<47}  {text}")
        carets = " ".join("^^" if start + index in marked else "  " for index in range(len(row))).rstrip()
        if carets:
            lines.append(f"      {carets}")
    if len(data) > end:
        lines.append(f"      … {len(data) - end:,} more bytes")
    return lines


def decoded(data: bytes) -> list[str]:
    """The frame as scapy shows it, or why it cannot."""
    from scapy.config import conf

    if thrift.begun:  # decoding needs no routes, and scapy is slow at reading them
        conf.route_autoload = conf.route6_autoload = False
    from scapy.layers.inet import IP  # noqa: F401  (registers the layers above Ethernet)
    from scapy.layers.l2 import Ether

    try:
        text = str(Ether(data[:DECODED]).show(dump=True))
    except Exception as error:  # noqa: BLE001  (scapy raises what it likes on hostile bytes)
        text = f"(scapy cannot decode it: {type(error).__name__}: {error})"
    return [shortened(line.rstrip()) for line in plain(text).splitlines() if line.strip()]


def shortened(line: str) -> str:
    """The line, or its beginning and an ellipsis."""
    return line if len(line) <= WIDEST else line[:WIDEST] + "…"
