"""Provider `static`: three hosts that exist, leased for the time of a run and left as they were found."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pytest_ixy import nics as models
from pytest_ixy import timespan
from pytest_ixy.bundle import NicRecord, NodeRecord, ProviderRecord
from pytest_ixy.errors import LabError, NotOfferedError, UsageError
from pytest_ixy.ledger import Ledger
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Testbed
from pytest_ixy.providers.static import plan
from pytest_ixy.providers.static.answers import Nic, Taken
from pytest_ixy.providers.static.leases import Leases, loss, require
from pytest_ixy.providers.static.tenancy import Claim, purpose, script
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Node, Topology, forward_topology

DRAIN = 60.0
"""Seconds that logging in, and throwing away what waits for a host's NICs, may take each."""


class Static:
    """Hosts that somebody else set up; see `pytest_ixy.providers.base.Provider`."""

    def __init__(self) -> None:
        self._leases: Leases | None = None

    def check(self, settings: Settings) -> None:
        """The table `[static]`, and ~/.ssh/config; see the protocol."""
        if settings.offline:
            raise UsageError("The provider static cannot cut hosts off the internet (--ixy-offline).")
        made = [model for model in models.MODELS if model not in models.WAYS]
        models.require(settings.nic, made, "static")
        plan.plan(forward_topology(settings.pci), settings)

    def capacity(self, settings: Settings) -> int:
        """One: there is one set of hosts, and a second testbed would wait for the first."""
        return 1

    def provision(
        self, topology: Topology, settings: Settings, book: Ledger, scratch: Path, progress: Progress
    ) -> Testbed:
        """Log in, wait in line, lease all hosts; see the protocol."""
        places = plan.plan(topology, settings)
        token, what = secrets.token_hex(8), purpose(settings)
        asked = {
            name: Claim(place.access, token, book.run, place.nics, what) for name, place in places.items()
        }
        with progress.phase("lease"):
            self._leases = leases = Leases(book, scratch)
            leases.prepare(asked, settings.timeouts.connect)
            taken = leases.take(timespan.parse(plan.table(settings).wait).total_seconds(), progress)
        return _testbed(_found(topology, taken), taken, leases)

    def destroy(self) -> list[str]:
        """Put the hosts in order and give them back, all at once."""
        leases, self._leases = self._leases, None
        return leases.free() if leases else []

    def ended(self, testbed: Testbed, node: str) -> str | None:
        """Why there is no use in waiting for the node: its lease is lost."""
        return loss(_file(testbed))

    def begin_trial(self, testbed: Testbed) -> None:
        """See that the hosts are still ours, and throw away frames of an earlier trial."""
        require(_file(testbed))
        jobs = {node.name: lambda node=node: _drain(node, testbed) for node in testbed.topology.nodes}
        all_at_once(jobs)

    def begin_traffic(self, testbed: Testbed) -> None:
        """See that the hosts are still ours; nobody paces them."""
        require(_file(testbed))

    def end_traffic(self, testbed: Testbed) -> None:
        """Nothing was begun."""

    def link(self, testbed: Testbed, node: str, number: int, *, up: bool) -> None:
        """Nobody here can pull a cable."""
        raise NotOfferedError("the provider static cannot take the link of a host down")

    def counters(self, testbed: Testbed) -> Counters:
        """None: nobody counts between the hosts. LabError once the hosts are not ours any more."""
        require(_file(testbed))
        return {}


def _drain(node: Node, testbed: Testbed) -> None:
    """By a connection of its own: whoever runs a trial may be another process than the one that leased."""
    with Host.connect(testbed.accesses[node.name], deadline=DRAIN) as host:
        nics = " ".join(nic.pci for nic in node.nics)
        host.run(script("drain.bash"), timeout=DRAIN, root=True, environment={"NICS": nics}, check=True)


def _file(testbed: Testbed) -> Path:
    return Path(testbed.private["lost"])


def _testbed(topology: Topology, taken: Mapping[str, Taken], leases: Leases) -> Testbed:
    claims = leases.claims
    accesses = {node.name: claims[node.name].way() for node in topology.nodes}
    nodes = tuple(
        NodeRecord(
            name=node.name,
            address=accesses[node.name].host,
            nics=tuple(
                NicRecord(network=nic.network, pci=nic.pci, mac=found.mac if found else None)
                for nic, (_, found) in zip(node.nics, taken[node.name].nics, strict=True)
            ),
        )
        for node in topology.nodes
    )
    notes = ("hosts of the user's own; nobody counts frames in the networks between them",)
    record = ProviderRecord(name="static", notes=notes)
    run = next(iter(claims.values())).run
    return Testbed(run, topology, record, nodes, accesses, private={"lost": str(leases.lost)})


def _found(topology: Topology, taken: Mapping[str, Taken]) -> Topology:
    """The topology with the PCI addresses that the hosts tell; LabError for a NIC that is not there."""
    nodes = tuple(_node(node, taken[node.name]) for node in topology.nodes)
    seen: dict[tuple[str, str], str] = {}
    for node in nodes:
        for nic in node.nics:
            where = (taken[node.name].machine, nic.pci)
            if where in seen:
                raise LabError(plan.shared(node.name, seen[where], nic.pci))
            seen[where] = node.name
    return replace(topology, nodes=nodes)


def _node(node: Node, taken: Taken) -> Node:
    if taken.ways:
        raise LabError(
            f"The host of {node.name} is reached through its NIC {taken.ways[0]}: that is no test NIC.",
            hint="give the address of another NIC in [static]",
        )
    found = [_there(node.name, asked, nic) for asked, nic in taken.nics]
    return replace(
        node, nics=tuple(replace(nic, pci=one.pci) for nic, one in zip(node.nics, found, strict=True))
    )


def _there(node: str, asked: str, nic: Nic | None) -> Nic:
    if nic is None:
        raise LabError(
            f"The host of {node} has no NIC with the address {asked}.",
            hint="see `lspci -D` and `ip -br link` there. A MAC address is found only while a driver of the "
            "kernel has the NIC; give the PCI address of one that has another driver",
        )
    return nic
