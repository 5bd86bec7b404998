"""What each packet looks like: `size` and `structure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules import causes
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import all_have, count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_ixy.rules.evidence import Evidence, Packet
    from pytest_ixy.rules.kernel.offenders import Offenders


def judge_size(evidence: Evidence) -> Finding:
    """See `SIZE`."""
    if cause := evidence.no_udp:
        return skipped("size", cause)
    observed, size = evidence.observed, evidence.dialect.size
    numbers = {"wrong": observed.size.total, "packets": observed.udp}
    if not observed.size.total:
        return passed("size", f"{all_have(observed.udp, 'packet')} {size} bytes", numbers)
    verb = "is" if observed.size.total == 1 else "are"
    title = f"{observed.size.total:,} of {count(observed.udp, 'packet')} {verb} not {size} bytes long"
    lines = [f"{kind}: {count(number, 'packet')}" for kind, number in observed.size.kinds.items()]
    return failed("size", title, numbers, [*lines, *_offending(evidence, observed.size, _beyond, _left_on)])


def judge_structure(evidence: Evidence) -> Finding:
    """See `STRUCTURE`."""
    wrong, udp = evidence.observed.structure, evidence.observed.udp
    if cause := evidence.nothing if wrong.total else evidence.no_udp:
        return skipped("structure", cause)
    shape = (
        f"the structure of the dialect {evidence.dialect.name}" if evidence.declared else "ixy's structure"
    )
    numbers = {"wrong": wrong.total, "packets": udp}
    if not wrong.total:
        return passed("structure", f"{all_have(udp, 'packet')} {shape}", numbers)
    title = f"{count(wrong.total, 'packet')} without {shape} among {count(udp, 'UDP packet')}"
    lines = [f"{count(number, 'packet')} {kind}" for kind, number in wrong.kinds.items()]
    return failed("structure", title, numbers, [*lines, *_offending(evidence, wrong, _misfits, _shifted)])


def _offending(
    evidence: Evidence,
    offenders: Offenders,
    mark: Callable[[Packet], Collection[int]],
    guess: Callable[[Sequence[Packet]], str],
) -> list[str]:
    packets = evidence.packets(offenders.first)
    first = packets[0].shown(mark(packets[0])) if packets else []
    listed = [*evidence.listed(packets, offenders.total), *causes.lines(guess(packets) if packets else "")]
    return ["first:", *listed, *evidence.caveats, *first]


def _left_on(packets: Sequence[Packet]) -> str:
    return causes.check_sequence([packet.data for packet in packets], packets[0].dialect.size)


def _shifted(packets: Sequence[Packet]) -> str:
    frames = [(packet.data, _payload_at(packet)) for packet in packets]
    return causes.shifted_bytes(frames, packets[0].dialect.magic.encode())


def _payload_at(packet: Packet) -> int:
    """Where the payload should start: behind UDP's header, wherever that is."""
    from pytest_ixy.dialect import PAYLOAD_AT, UDP_AT
    from pytest_ixy.rules.kernel.dissect import dissect_one

    found = dissect_one(packet.data, packet.dialect)
    return int(found.udp_at[0]) + PAYLOAD_AT - UDP_AT if found.udp[0] else PAYLOAD_AT


def _beyond(packet: Packet) -> range:
    """The bytes behind the last one that the frame should have."""
    return range(packet.dialect.size, len(packet.data))


def _misfits(packet: Packet) -> set[int]:
    """The bytes of UDP length and payload that are not as the dialect's; none where no UDP header is."""
    from pytest_ixy.rules.kernel.dissect import dissect_one

    data, dialect = packet.data, packet.dialect
    found = dissect_one(data, dialect)
    if not found.udp[0]:
        return set()
    at = int(found.udp_at[0])
    expected = dict(enumerate(dialect.udp_length.to_bytes(2, "big"), at + 4))
    expected |= dict(enumerate(dialect.magic.encode(), at + 8))
    return {place for place, byte in expected.items() if data[place : place + 1] != bytes([byte])}


SIZE = Rule(
    "size",
    "Every UDP packet was captured as a frame of exactly the dialect's size, by default 60 bytes (Ethernet "
    "14, IP 20, UDP 8, payload 18), without padding and without the frame check sequence. A snap length "
    "does not matter: the length on the wire is judged.",
    judge_size,
)

STRUCTURE = Rule(
    "structure",
    "Every UDP packet has the dialect's UDP length and start of the payload, by default 26 and `ixy`, and "
    "every frame can be parsed. Other frames are ignored. Addresses, checksums and the rest of the payload "
    "are not looked at.",
    judge_structure,
)
