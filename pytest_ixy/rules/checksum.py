"""Whether receivers would take the packets: `checksum`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rfc1071 import ONES, Checksum, checksums, complement, folded, swapped
from pytest_ixy.rules.rule import Rule, Severity
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.rules.evidence import Evidence, Packet

Pair = tuple["Packet", Checksum]

IP_AT, UDP_AT = 14, 34
TIME_TO_LIVE = 8


def judge_checksum(evidence: Evidence) -> Finding:
    """See `CHECKSUM`."""
    observed, dialect = evidence.observed, evidence.dialect
    if cause := evidence.no_udp or _own(dialect):
        return skipped("checksum", cause)
    found = observed.checksums
    wrong, packets = found.wrong.total, count(observed.udp, "UDP packet")
    numbers = {"wrong": wrong, "ip": found.ip, "udp": found.udp, "packets": observed.udp}
    if not wrong:
        return passed("checksum", f"the checksums of {packets} are right", numbers)
    each = " and ".join(f"{name}'s in {n:,}" for name, n in (("IP", found.ip), ("UDP", found.udp)) if n)
    title = f"{wrong:,} of {packets} {'has' if wrong == 1 else 'have'} a wrong checksum: {each}"
    return failed("checksum", title, numbers, _lines(evidence))


def _own(dialect: Dialect) -> str:
    """Why the dialect's packets cannot have a right one; empty when they can."""
    header = dialect.arriving[IP_AT:UDP_AT]
    if None in header or folded(bytes(byte or 0 for byte in header)) == ONES:
        return ""
    return f"the dialect {dialect.name} sends a wrong one"


def _lines(evidence: Evidence) -> Iterator[str]:
    wrong = evidence.observed.checksums.wrong
    packets = evidence.packets(wrong.first)
    pairs = [(packet, one) for packet in packets for one in checksums(packet) if one.wrong]
    for name in ("IP", "UDP"):
        yield from _causes(name, [pair for pair in pairs if pair[1].name == name])
    yield "first:"
    listed = evidence.listed(packets, wrong.total)
    for packet, line in zip(packets, listed, strict=False):
        yield ", ".join([line, *(_words(one) for whose, one in pairs if whose is packet)])
    yield from (*listed[len(packets) :], *evidence.caveats)
    if packets:
        marked = {at for whose, one in pairs if whose is packets[0] for at in (one.at, one.at + 1)}
        yield from packets[0].shown(marked)


def _words(one: Checksum) -> str:
    return f"{one.name} {one.found:04x} instead of {one.right:04x}"


def _causes(name: str, pairs: Sequence[Pair]) -> Iterator[str]:
    """The first guess that holds for all packets that were looked at."""
    for words, holds in GUESSES.items():
        if pairs and all(holds(packet, one) for packet, one in pairs):
            yield f"cause? {name}: {words}"
            return
    if len({one.found for _, one in pairs}) == 1 < len({one.right for _, one in pairs}):
        yield f"cause? {name}: the checksum was not updated after the packet changed: it is always the same"


def _counted_down(packet: Packet, one: Checksum) -> bool:  # noqa: ARG001
    """Whether the checksum is right for a time to live that is higher by one."""
    live = (one.covered[TIME_TO_LIVE] + 1) % 256
    header = one.covered[:TIME_TO_LIVE] + bytes([live]) + one.covered[TIME_TO_LIVE + 1 :]
    return one.name == "IP" and one.found == complement(header)


def _templates(packet: Packet, one: Checksum) -> bool:
    """Whether the header is not the dialect's any more, but the checksum still is."""
    told = packet.dialect.sent[one.at : one.at + 2], packet.dialect.arriving[one.at : one.at + 2]
    return one.name == "IP" and tuple(packet.data[one.at : one.at + 2]) in told


def _before_the_number(packet: Packet, one: Checksum) -> bool:
    """Whether the checksum is right for a packet with zeros instead of a sequence number."""
    number = packet.dialect.number
    if one.name != "UDP" or number is None or number.at < UDP_AT or packet.sequence is None:
        return False
    at = number.at - UDP_AT + one.pseudo
    return one.found == complement(one.covered[:at] + bytes(number.width) + one.covered[at + number.width :])


GUESSES: dict[str, Callable[[Packet, Checksum], bool]] = {
    "the checksum's bytes are swapped": lambda _, one: one.found == swapped(one.right),
    "it was never computed, or over a header that had one already": lambda _, one: one.found == 0,
    "the sum was not complemented": lambda _, one: one.found == folded(one.covered) and not one.pseudo,
    "the checksum was not updated after the header changed: the time to live is one less": _counted_down,
    "the checksum was not updated after the header changed: it is the dialect's own": _templates,
    "only the pseudo header was summed up: the rest was left to the NIC (checksum offload)": (
        lambda _, one: bool(one.pseudo) and one.found == folded(one.covered[: one.pseudo])
    ),
    "the pseudo header was left out": (
        lambda _, one: bool(one.pseudo) and one.found == complement(one.covered[one.pseudo :])
    ),
    "the checksum was made before the sequence number was written": _before_the_number,
}


CHECKSUM = Rule(
    "checksum",
    "In every UDP packet over IPv4 the header's checksum is right. Where a UDP packet was captured whole, "
    "over IPv4 or IPv6, its own checksum is right or 0, which means none.",
    judge_checksum,
    Severity("report"),
    formula="RFC 1071 over the IP header with its options; RFC 768 over the UDP packet and its pseudo header",
)
