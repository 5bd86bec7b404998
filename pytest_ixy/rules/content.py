"""Whether packets are byte for byte what the dialect says: `payload`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule, Severity
from pytest_ixy.rules.touching import causes, meanings, touched_places
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.rules.evidence import Evidence, Packet
    from pytest_ixy.rules.kernel.template import Deviations, Place

FEW = 8
"""Bytes of the frame that get a line each."""
MOST = 3
"""Wrong values that are told of each."""

UNDECLARED = (
    "note: the target declares no dialect. If its packets should look like this, declare a dialect in "
    "ixy-ci.toml; pytest-ixy judge --guess tells which."
)


def judge_payload(evidence: Evidence) -> Finding:
    """See `PAYLOAD`."""
    found = evidence.observed.payload
    if cause := evidence.no_udp or ("" if found.packets else _misshapen(evidence)):
        return skipped("payload", cause)
    numbers = {"wrong": found.wrong.total, "packets": found.packets, "bytes": len(found.places)}
    if found.wrong.total:
        return failed("payload", _title(found, evidence.dialect.name), numbers, _lines(evidence))
    packets, fixed = (
        count(found.packets, "packet"),
        sum(byte is not None for byte in evidence.dialect.arriving),
    )
    title = f"in {packets} all {fixed} bytes that the dialect {evidence.dialect.name} tells are right"
    return passed("payload", title, numbers)


def _title(found: Deviations, name: str) -> str:
    packets, places = count(found.packets, "packet"), found.places
    where = f"byte {places[0].at}" if len(places) == 1 else f"{len(places)} bytes"
    verb = "differs" if found.wrong.total == 1 else "differ"
    return f"{found.wrong.total:,} of {packets} {verb} from the dialect {name} in {where}"


def _misshapen(evidence: Evidence) -> str:
    packets = count(evidence.observed.udp, "UDP packet")
    return f"{packets} captured, but none whole with the structure of the dialect {evidence.dialect.name}"


def _lines(evidence: Evidence) -> Iterable[str]:
    found, dialect = evidence.observed.payload, evidence.dialect
    packets = evidence.packets(found.wrong.first)
    touched = touched_places(dialect)
    places = sorted(found.places, key=lambda place: (place.at not in touched, place.at))
    yield from (_line(dialect, place) for place in places[:FEW])
    if len(places) > FEW:
        yield f"… and {count(len(places) - FEW, 'more byte')}"
    yield from _moved(packets)
    yield from causes(dialect, found.places)
    yield from () if evidence.declared else (UNDECLARED,)
    yield from ("first:", *evidence.listed(packets, found.wrong.total), *evidence.caveats)
    yield from packets[0].shown(_different(packets[0])) if packets else ()


def _line(dialect: Dialect, place: Place) -> str:
    """Such as `byte 1 (destination MAC): 02 in 12 packets, 03 expected`."""
    from pytest_ixy.rules.fields import field

    known, told = meanings(dialect, place.at), dict(list(place.values.items())[:MOST])
    values = []
    for value, packets in told.items():
        meaning = f" ({known[value]})" if value in known else ""
        values.append(f"{value:02x} in {count(packets, 'packet')}{meaning}")
    if place.kinds > len(told):
        rest = count(place.packets - sum(told.values()), "packet")
        values.append(f"{count(place.kinds - len(told), 'more value')} in {rest}")
    expected = f"{dialect.arriving[place.at]:02x} expected"
    return f"byte {place.at} ({field(place.at, dialect)}): {', '.join([*values, expected])}"


def _moved(packets: Iterable[Packet]) -> Iterable[str]:
    """A guess for packets with more headers than they should have."""
    from pytest_ixy.dialect import UDP_AT
    from pytest_ixy.rules.kernel.dissect import dissect_one

    found = {int(dissect_one(packet.data, packet.dialect).udp_at[0]) for packet in packets} - {UDP_AT}
    if found:
        yield f"cause? UDP starts at byte {min(found)} instead of {UDP_AT}: VLAN tags, IP options or IPv6"


def _different(packet: Packet) -> set[int]:
    """The bytes that are not as they should be."""
    pairs = enumerate(zip(packet.data, packet.dialect.arriving, strict=False))
    return {at for at, (byte, right) in pairs if right is not None and byte != right}


PAYLOAD = Rule(
    "payload",
    "Every packet with the dialect's structure is byte for byte the one that pktgen sends after the "
    "forwarder touched it: each byte that the dialect's template tells has its value, as far as it was "
    "captured. Frames with VLAN tags or options are compared from the frame's start all the same.",
    judge_payload,
    Severity("report", declared="fail"),
)
