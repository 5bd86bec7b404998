"""Whether the nodes had what programs need, before the roles started: `preflight`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy import nics
from pytest_ixy.rules.finding import ALONE, Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Option, Rule, Severity
from pytest_ixy.rules.words import count, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ixy.bundle import NicRecord, NodeRecord
    from pytest_ixy.nodestate import HugePages, NodeState
    from pytest_ixy.rules.evidence import Evidence

MEMORY = Option("min_mib", 64, "memory that should be available on each node, in MiB")


def judge_preflight(evidence: Evidence) -> Finding:
    """See `PREFLIGHT`."""
    nodes = [(node, node.before) for node in evidence.manifest.nodes if node.before]
    if not nodes:
        return skipped("preflight", ALONE if evidence.alone else "nobody has looked at the nodes")
    least = MEMORY.of(evidence.terms("preflight"))
    wrong = [words for node, state in nodes for words in _wrong(node, state, least)]
    numbers = {
        "available_mib": min(state.available >> 10 for _, state in nodes),
        "huge_pages": min(sum(pages.free for pages in state.huge_pages) for _, state in nodes),
    }
    lines = [f"{node.name}: {_told(state)}" for node, state in nodes]
    if wrong:
        return failed("preflight", "; ".join(wrong), numbers, lines)
    return passed("preflight", f"{count(len(nodes), 'node')} had what programs need", numbers, lines)


def _wrong(node: NodeRecord, state: NodeState, least: float) -> Iterator[str]:
    """What that node lacked."""
    for nic in node.nics:
        if state.without(nic.pci):
            yield f"the node of {node.name} had no device at {one_line(nic.pci)}"
        if found := _other(nic, state):
            yield f"the node of {node.name} had {found} at {one_line(nic.pci)}, which is no {nic.model}"
    if state.available >> 10 < least:
        yield f"the node of {node.name} had {state.available >> 10:,} MiB of memory available"
    for pages in state.huge_pages:
        if pages.total and not pages.free:
            yield f"on the node of {node.name} none of {_pages(pages)} was free"


def _other(nic: NicRecord, state: NodeState) -> str:
    """Vendor and device of a NIC that is not of the model that its provider is to have made."""
    known = nics.expected(nic.model)
    for device in state.devices:
        ids = f"{device.vendor}:{device.device}"
        if known and device.pci == nic.pci and device.present and ids not in known:
            return one_line(ids)
    return ""


def _pages(pages: HugePages) -> str:
    return f"{count(pages.total, 'huge page')} of {pages.size:,} KiB"


def _told(state: NodeState) -> str:
    """All of it that matters, in a line."""
    parts = [f"{state.available >> 10:,} MiB available"]
    parts += [f"{pages.free:,} of {_pages(pages)} free" for pages in state.huge_pages]
    parts += [f"{one_line(nic.pci)} driven by {one_line(nic.driver) or 'nobody'}" for nic in state.devices]
    return ", ".join(parts)


PREFLIGHT = Rule(
    "preflight",
    "Before the roles started, each node had its NICs, of the model that was asked for, `min_mib` of memory, "
    "and a free huge page if it has any at all. A trial is not even begun on a node without a NIC: that is "
    "the lab's fault.",
    judge_preflight,
    Severity("report"),
    (MEMORY,),
)
