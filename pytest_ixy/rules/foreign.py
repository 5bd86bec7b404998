"""Frames that nobody asked for: `foreign`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.protocols import address, named
from pytest_ixy.rules.rule import Rule, Severity
from pytest_ixy.rules.words import count, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.kernel.strangers import Foreign

CAUSES = {
    "RARP": "QEMU announces a machine that was restored or moved",
    "LLC (such as spanning tree)": "a bridge or switch announces itself",
    "LLDP": "a bridge, a switch or a NIC's firmware announces itself",
}
TALKS = "an operating system talks on the test network: it still drives the NIC"
TALK = frozenset({"ARP", "ICMPv6 over IPv6", "ICMP over IPv4", "IGMP over IPv4", "TCP over IPv4"})


def judge_foreign(evidence: Evidence) -> Finding:
    """See `FOREIGN`."""
    if cause := evidence.nothing:
        return skipped("foreign", cause)
    frames, found = evidence.observed.frames, evidence.observed.strangers
    numbers = {"foreign": found.total, "frames": frames}
    if not found.total:
        return passed("foreign", _only_udp(evidence), numbers)
    kinds = _kinds(found)
    verb = "is" if found.total == 1 else "are"
    kind, most = next(iter(kinds.items()))
    title = f"{found.total:,} of {count(frames, 'frame')} {verb} not UDP"
    title += f", but {kind}" if most == found.total else f", most often {kind}"
    return failed("foreign", title, numbers, _lines(evidence, found, kinds))


def _only_udp(evidence: Evidence) -> str:
    observed = evidence.observed
    if not observed.foreign:
        return f"every frame is a UDP packet: {observed.udp:,}"
    return f"every frame that can be parsed is a UDP packet: {observed.udp:,} of {observed.frames:,}"


def _kinds(found: Foreign) -> Mapping[str, int]:
    """How many frames of each kind; several numbers may have one name."""
    kinds: Counter[str] = Counter()
    for (kind, protocol), number in found.kinds.items():
        kinds[named(kind, protocol)] += number
    return dict(kinds.most_common())


def _lines(evidence: Evidence, found: Foreign, kinds: Mapping[str, int]) -> list[str]:
    lines = [f"{kind}: {count(number, 'frame')}" for kind, number in kinds.items()]
    if rest := found.total - sum(kinds.values()):
        lines.append(f"other kinds: {count(rest, 'frame')}")
    lines += [*_senders(evidence, found), *_causes(kinds)]
    packets = evidence.packets(found.first)
    first = packets[0].shown() if packets else []
    return [*lines, "first:", *evidence.listed(packets, found.total), *evidence.caveats, *first]


def _senders(evidence: Evidence, found: Foreign) -> list[str]:
    owners, least = _owners(evidence), "at least " if found.short else ""
    lines = []
    for sender, number in found.senders.items():
        written = address(sender)
        owner = f", {owners[written]}" if written in owners else ""
        lines.append(f"  {written}: {least}{count(number, 'frame')}{owner}")
    return ["sent by:", *lines] if lines else []


def _owners(evidence: Evidence) -> dict[str, str]:
    """Whose NIC has which address, as far as the manifest tells."""
    nics = [(node.name, nic) for node in evidence.manifest.nodes for nic in node.nics]
    return {nic.mac.lower(): one_line(f"{name}'s own NIC on {nic.network}") for name, nic in nics if nic.mac}


def _causes(kinds: Iterable[str]) -> list[str]:
    guesses = [CAUSES.get(kind, TALKS if kind in TALK else "") for kind in kinds]
    return [f"cause? {guess}" for guess in dict.fromkeys(guesses) if guess]


FOREIGN = Rule(
    "foreign",
    "Every frame is a UDP packet. Frames that cannot be parsed, or that the snap length cut before it can be "
    "told, are left to `structure` and `complete`.",
    judge_foreign,
    Severity("report"),
)
