"""Enter servers that have just been made: wait for SSH, see that they are who they should be, look around."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pytest_ixy.errors import LabError
from pytest_ixy.providers.openstack import hostkey, visit
from pytest_ixy.providers.openstack.console import Console
from pytest_ixy.providers.openstack.stack import Built
from pytest_ixy.providers.openstack.visit import Seen
from pytest_ixy.providers.static.tenancy import script
from pytest_ixy.remote import Access, Host
from pytest_ixy.topology import Node, Topology

DRAIN = 60.0
"""Seconds that logging in, and throwing away what waits for a node's NICs, may take each."""


@dataclass(frozen=True)
class Entered:
    """A node that was entered.

    Attributes:
        access: The way to it.
        vouched: Whether its console shows the host key that it has.
        seen: Its network devices.
        console: File with its console's output, as far as the cloud tells.
    """

    access: Access
    vouched: bool
    seen: Seen
    console: str | None = None


@dataclass(frozen=True)
class Entrance:
    """The way into servers.

    Attributes:
        user: Who to log in as.
        key: Path of the private key; None for the agent's.
        deadline: Seconds that a server may take to answer.
        consoles: Of the servers, by node.
        ended: Why a node is known to be dead, or None.
        port: Of their SSH servers.
        interrupted: Set when nobody waits for it any more.
    """

    user: str
    key: str | None
    deadline: float
    consoles: Mapping[str, Console]
    ended: Callable[[str], str | None]
    port: int = 22
    interrupted: threading.Event = field(default_factory=threading.Event)

    def enter(self, node: str, built: Built) -> Entered:
        """Enter one; LabError when that is not possible."""

        def ended() -> str | None:
            return "interrupted" if self.interrupted.is_set() else self.ended(node)

        console = self.consoles[node]
        try:
            shown = hostkey.shown(built.address, port=self.port, deadline=self.deadline, alive=ended)
            key, vouched = hostkey.settle(shown, console.read, f"{built.address} ({node})")
            access = Access(node, built.address, self.port, self.user, self.key, key)
            # cloud-init may be about to let our key in
            with Host.connect(access, deadline=self.deadline, alive=ended, set_up=False) as host:
                seen = visit.look(host, macs(built))
        except LabError as error:
            said = console.read().strip().splitlines()[-1:]
            more = f" Its console ends with: {said[0][:200]!r}." if said else ""
            raise LabError(f"{node}: {error.what}{more}", hint=error.hint) from error
        file = str(console.file) if console.file.exists() else None
        return Entered(access, vouched, seen, file)


def drain(access: Access, node: Node) -> None:
    """Throw away what waits for a node's test NICs; LabError when that is not possible."""
    with Host.connect(access, deadline=DRAIN) as host:
        nics = " ".join(nic.pci for nic in node.nics)
        host.run(script("drain.bash"), timeout=DRAIN, root=True, environment={"NICS": nics}, check=True)


def macs(built: Built) -> tuple[str, ...]:
    """The addresses of a node's test NICs."""
    return tuple(port.mac_address.lower() for port in built.ports)


def placed(
    topology: Topology, built: Mapping[str, Built], entered: Mapping[str, Entered], configured: frozenset[str]
) -> Topology:
    """The topology with the PCI addresses that the nodes tell; LabError for a NIC that is not there."""

    def place(node: Node) -> Node:
        return visit.placed(node, macs(built[node.name]), entered[node.name].seen, configured)

    return replace(topology, nodes=tuple(map(place, topology.nodes)))
