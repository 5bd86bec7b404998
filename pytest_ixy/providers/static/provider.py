"""Provider `static`: three hosts that exist, leased for the time of a run and left as they were found."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pytest_ixy import nics as models
from pytest_ixy import timespan
from pytest_ixy.bundle import NicRecord, NodeRecord, ProviderRecord
from pytest_ixy.errors import IxyError, LabError, NotOfferedError, UsageError
from pytest_ixy.ledger import Ledger
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Testbed
from pytest_ixy.providers.static import plan, slip
from pytest_ixy.providers.static.answers import Nic, Taken
from pytest_ixy.providers.static.heart import Heart
from pytest_ixy.providers.static.line import Line
from pytest_ixy.providers.static.tenancy import Claim, purpose, script
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Node, Topology, forward_topology

LOST = "lease-lost"
"""File in the run's scratch folder: which lease was lost, for every process that uses the testbed."""

DRAIN = 60.0
"""Seconds that logging in, and throwing away what waits for a host's NICs, may take each."""


class Static:
    """Hosts that somebody else set up; see `pytest_ixy.providers.base.Provider`."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._slips: dict[str, Path] = {}
        self._hosts: dict[str, Host] = {}
        self._hearts: dict[str, Heart] = {}

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
        places, lost = plan.plan(topology, settings), scratch / LOST
        lost.unlink(missing_ok=True)
        with progress.phase("lease"):
            self._prepare(places, settings, book, scratch)
            wait = timespan.parse(plan.table(settings).wait).total_seconds()
            taken = Line(self._claims, self._hosts, wait, progress.tell, progress.say).stand()
            for name, claim in self._claims.items():
                self._hearts[name] = Heart(claim, self._hosts[name], lambda why: _note_lost(lost, why))
        return self._testbed(_found(topology, taken), taken, book.run, lost)

    def _prepare(self, places: plan.Plan, settings: Settings, book: Ledger, scratch: Path) -> None:
        """Log in, and write down what is to be claimed, in the order in which it is asked for."""
        token, what = secrets.token_hex(8), purpose(settings)
        asked = {
            name: Claim(place.access, token, book.run, place.nics, what) for name, place in places.items()
        }
        claims = self._enter(asked, settings.timeouts.connect)
        for name in plan.in_line(places):
            self._slips[name] = slip.write(claims[name], book, scratch)
            self._claims[name] = claims[name]

    def _enter(self, claims: Mapping[str, Claim], deadline: float) -> dict[str, Claim]:
        """Log in to all hosts at once; what is to be claimed, with what only the hosts can tell."""
        interrupted = threading.Event()

        def enter(name: str) -> Claim:
            def stop() -> str | None:
                return "interrupted" if interrupted.is_set() else None

            self._hosts[name] = Host.connect(claims[name].access, deadline=deadline, alive=stop)
            return claims[name].housed(self._hosts[name])

        jobs = {name: lambda name=name: enter(name) for name in claims}
        return all_at_once(jobs, abort=interrupted.set)

    def _testbed(self, topology: Topology, taken: Mapping[str, Taken], run: str, lost: Path) -> Testbed:
        accesses = {node.name: self._claims[node.name].way() for node in topology.nodes}
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
        return Testbed(run, topology, record, nodes, accesses, private={"lost": str(lost)})

    def destroy(self) -> list[str]:
        """Put the hosts in order and give them back, all at once."""
        for heart in self._hearts.values():
            heart.close()
        self._hosts |= {name: heart.host for name, heart in self._hearts.items()}
        jobs = {name: lambda name=name: self._free(name) for name in self._claims}
        told = all_at_once(jobs)
        for host in self._hosts.values():
            host.close()
        self._claims, self._slips, self._hosts, self._hearts = {}, {}, {}, {}
        return [words for each in told.values() for words in each]

    def _free(self, name: str) -> list[str]:
        """Free one host; what went wrong. What is left of it stands in the ledger, for a sweep."""
        claim, where = self._claims[name], f"{name}'s host {self._claims[name].access.address}"
        try:
            if self._hosts[name].lost:
                slip.free(self._slips[name])
                return []
            _, untidy = claim.free(self._hosts[name])
        except (IxyError, OSError) as error:
            return [f"{where}: {error}"]
        self._slips[name].unlink(missing_ok=True)
        return [f"{where} is not all as it was: {words}" for words in untidy]

    def ended(self, testbed: Testbed, node: str) -> str | None:
        """Why there is no use in waiting for the node: its lease is lost."""
        return _lost(testbed)

    def begin_trial(self, testbed: Testbed) -> None:
        """See that the hosts are still ours, and throw away frames of an earlier trial."""
        _require_lease(testbed)
        jobs = {node.name: lambda node=node: _drain(node, testbed) for node in testbed.topology.nodes}
        all_at_once(jobs)

    def begin_traffic(self, testbed: Testbed) -> None:
        """See that the hosts are still ours; nobody paces them."""
        _require_lease(testbed)

    def end_traffic(self, testbed: Testbed) -> None:
        """Nothing was begun."""

    def link(self, testbed: Testbed, node: str, number: int, *, up: bool) -> None:
        """Nobody here can pull a cable."""
        raise NotOfferedError("the provider static cannot take the link of a host down")

    def counters(self, testbed: Testbed) -> Counters:
        """None: nobody counts between the hosts. LabError once the hosts are not ours any more."""
        _require_lease(testbed)
        return {}


def _drain(node: Node, testbed: Testbed) -> None:
    """By a connection of its own: whoever runs a trial may be another process than the one that leased."""
    with Host.connect(testbed.accesses[node.name], deadline=DRAIN) as host:
        nics = " ".join(nic.pci for nic in node.nics)
        host.run(script("drain.bash"), timeout=DRAIN, root=True, environment={"NICS": nics}, check=True)


def _note_lost(file: Path, why: str) -> None:
    file.write_text(why, encoding="utf-8")


def _lost(testbed: Testbed) -> str | None:
    file = Path(testbed.private["lost"])
    return file.read_text(encoding="utf-8") if file.exists() else None


def _require_lease(testbed: Testbed) -> None:
    if why := _lost(testbed):
        raise LabError(why, hint="what was run there since then proves nothing; run it again")


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
