"""From `[static]` of config.toml to the way to each host and the NICs that are asked for there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_ixy.config import StaticNode, StaticTable
from pytest_ixy.errors import UsageError
from pytest_ixy.hosttable import HostTable, Shared
from pytest_ixy.providers.static.sshconfig import Asked, resolve
from pytest_ixy.remote import Access
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Topology

HINT = """write into config.toml, and give --ixy-config=config.toml:
  [static.pktgen]
  host = "HOST"            # as for ssh
  nics = ["0000:03:00.0"]  # PCI or MAC address
and the same for fwd (two nics) and pcap; see docs/providers/static.md"""


@dataclass(frozen=True)
class Place:
    """The host of one node: the way to it, and its test NICs as PCI or MAC addresses."""

    access: Access
    nics: tuple[str, ...]


Plan = Mapping[str, Place]
"""By node, in the topology's order."""


def table(settings: Settings) -> StaticTable:
    """What `[static]` says; UsageError when there is none."""
    if settings.static is None:
        raise UsageError("The provider static needs a table [static] in config.toml.", hint=HINT)
    return settings.static


def plan(topology: Topology, settings: Settings) -> Plan:
    """Where each node is.

    Raises:
        UsageError: something of it cannot be.
        LabError: there is no ssh on this machine.
    """
    asked = table(settings)
    found = {
        node.name: _place(node.name, tuple(nic.pci for nic in node.nics), asked, settings)
        for node in topology.nodes
    }
    _refuse_shared(found)
    return found


def _place(name: str, usual: tuple[str, ...], asked: StaticTable, settings: Settings) -> Place:
    node: StaticNode = getattr(asked, name)
    nics = usual if node.nics is None else tuple(node.nics)
    if len(nics) != len(usual):
        raise UsageError(f"[static.{name}] has {len(nics)} nics; {name} needs {len(usual)}.")
    return Place(way(name, node, asked, settings.config), nics)


def way(name: str, node: HostTable, shared: Shared, config: Path | None) -> Access:
    """The way to a host.

    Args:
        name: What it is called in messages.
        node: What is said of it.
        shared: What is said of all hosts beside it.
        config: The file in which that stands.

    Raises:
        UsageError: something of it cannot be.
        LabError: there is no ssh on this machine.
    """
    key, jumps = node.key or shared.key, shared.jumps if node.jumps is None else node.jumps
    file = _file(key, config) if key else None
    ssh_config = Path(_file(shared.ssh_config, config)) if shared.ssh_config else None
    user, hops = node.user or shared.user, None if jumps is None else tuple(jumps)
    access = resolve(Asked(name, node.host, node.port, user, (file,) if file else (), hops, ssh_config))
    if file:
        access = replace(access, key=file, keys=None)
    return replace(access, host_key=node.host_key)


def _file(text: str, config: Path | None) -> str:
    """A path as in a file: a relative one starts at the folder of config.toml."""
    return str((config.parent if config else Path.cwd()) / Path(text).expanduser())


def _refuse_shared(found: Plan) -> None:
    """Refuse a NIC that is given twice; what is the same under two names shows later."""
    seen: dict[tuple[str, int, str], str] = {}
    for name, place in found.items():
        for nic in place.nics:
            where = (place.access.host, place.access.port, nic)
            if where in seen:
                raise UsageError(shared(name, seen[where], nic))
            seen[where] = name


def shared(one: str, other: str, nic: str) -> str:
    """What is wrong with two roles that have one NIC."""
    who = "fwd twice" if one == other else f"{other} and {one}"
    return f"The NIC {nic} is given to {who}; each role needs NICs of its own."
