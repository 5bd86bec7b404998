"""Enter the servers once: whose they are, where their test NICs are, and nobody there may use these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.remote import Host
from pytest_ixy.topology import Nic, Node

TIMEOUT = 420.0
WAIT = 300
"""Seconds for a first start to be over, part of the other."""
LINES = 200


@dataclass(frozen=True)
class Seen:
    """The network devices of a node: PCI address by MAC address, and of each PCI address the MAC or None."""

    found: Mapping[str, str]
    devices: Mapping[str, str | None]


def look(host: Host, macs: tuple[str, ...]) -> Seen:
    """Ask the node; LabError when it does not tell."""
    given = {"MACS": " ".join(macs), "SECONDS_TO_WAIT": str(WAIT), "SYS": "/sys", "ETC": "/etc"}
    done = host.run(_script(), timeout=TIMEOUT, root=True, environment=given)
    if not done.ok:
        last = one_line(done.output.strip())[-300:] or "no answer in time"
        raise LabError(
            f"The node of {host.name} did not tell where its NICs are: {last}", hint="see its console"
        )
    return read(done.output)


def read(output: str) -> Seen:
    """What the script's lines say."""
    lines = [line.split() for line in output.splitlines()[:LINES]]
    found = {words[1]: words[2] for words in lines if words[:1] == ["nic"] and len(words) > 2}  # noqa: PLR2004
    devices = {words[1]: words[2] for words in lines if words[:1] == ["device"] and len(words) == 3}  # noqa: PLR2004
    return Seen(found, {pci: None if mac == "-" else mac for pci, mac in devices.items()})


def placed(node: Node, macs: tuple[str, ...], seen: Seen, configured: frozenset[str]) -> Node:
    """The node with its NICs' PCI addresses as they are.

    Args:
        node: With the addresses that are configured or usual.
        macs: Of its NICs.
        seen: What it says of itself.
        configured: Which addresses of `[test.pci_addresses]` somebody chose.

    Raises:
        LabError: a NIC is not there, or not where it is said to be.
    """
    nics = tuple(
        replace(nic, pci=_place(node.name, nic, mac, seen, nic.key in configured))
        for nic, mac in zip(node.nics, macs, strict=True)
    )
    return replace(node, nics=nics)


def _place(node: str, nic: Nic, mac: str, seen: Seen, is_configured: bool) -> str:
    found, key = seen.found.get(mac), nic.key
    if found and not is_configured:
        return found
    is_unknown = not found and nic.pci in seen.devices and seen.devices[nic.pci] is None
    if is_unknown or found == nic.pci:
        return nic.pci
    if not is_configured:
        raise LabError(
            f"The node of {node} has no NIC with the address {mac} of the port for {nic.variable}.",
            hint=f"no driver of its kernel may know it: write {key} = PCI address into [test.pci_addresses] "
            f"({_known(seen)})",
        )
    where = f"that one is at {found}" if found else "it was not found elsewhere"
    there = seen.devices.get(nic.pci)
    what = f"has {there}" if there else "is no network device"
    raise LabError(
        f"{node}: {key} = {nic.pci} of [test.pci_addresses] {what}, not {mac} of its port; {where}.",
        hint=f"remove {key} from [test.pci_addresses]: NICs are found by their ports",
    )


def _known(seen: Seen) -> str:
    return (
        ", ".join(f"{pci} has {mac or 'no driver'}" for pci, mac in list(seen.devices.items())[:8])
        or "it has none"
    )


@cache
def _script() -> str:
    return files("pytest_ixy.providers.openstack").joinpath("visit.bash").read_text(encoding="utf-8")
