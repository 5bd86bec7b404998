"""Provider `openstack`: make three servers and what joins them, use what is there, leave nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from pytest_ixy import nics
from pytest_ixy.config import CloudTimeouts
from pytest_ixy.ledger import Ledger
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Testbed
from pytest_ixy.providers.openstack import capacity, door, entrance, keys, lookup, ports, record, removal
from pytest_ixy.providers.openstack.console import Console
from pytest_ixy.providers.openstack.entrance import Entered, Entrance
from pytest_ixy.providers.openstack.health import Health
from pytest_ixy.providers.openstack.lookup import Found
from pytest_ixy.providers.openstack.maker import Maker
from pytest_ixy.providers.openstack.quiet import quiet
from pytest_ixy.providers.openstack.reference import Reference
from pytest_ixy.providers.openstack.stack import Built, Stack
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Topology, forward_topology


class OpenStack:
    """Servers of a cloud; see `pytest_ixy.providers.base.Provider`."""

    def __init__(self) -> None:
        self._maker: Maker | None = None
        self._timeouts = CloudTimeouts()
        self._health: Health | None = None

    @quiet()
    def check(self, settings: Settings) -> None:
        """The table `[openstack]`; see the protocol."""
        lookup.table(settings)
        door.reference(settings)

    @quiet()
    def provision(
        self, topology: Topology, settings: Settings, book: Ledger, scratch: Path, progress: Progress
    ) -> Testbed:
        """Log in, find what is there, make the rest, enter the servers; see the protocol."""
        asked = lookup.table(settings)
        self._timeouts = asked.timeouts
        with progress.phase("cloud"):
            cloud = door.enter(door.reference(settings), asked.timeouts.request)
            self._maker = maker = Maker(cloud, book)
            found = lookup.Lookup(cloud, asked).find(topology)
            key = keys.of_user(settings) or keys.make(scratch / maker.prefix)
            lookup.check_model(settings.asked_nic, found.image)
        vnic_type = settings.asked_nic if settings.asked_nic in nics.WAYS else None
        stack = Stack(maker, asked, found, topology, progress, way=vnic_type)
        with progress.phase("networks"):
            stack.networks(key.public)
        with progress.phase("servers"):
            built = stack.servers()
        with progress.phase("enter"):
            self._health = Health(cloud, {name: one.server.id for name, one in built.items()})
            consoles = {
                name: Console(cloud, one.server.id, scratch / f"{name}.console")
                for name, one in built.items()
            }
            way = Entrance(found.user, key.path, settings.timeouts.connect, consoles, self._health.ended)
            entered = _enter(way, built, progress)
            real = entrance.placed(topology, built, entered, settings.pci.configured)
        return self._testbed(real, found, built, entered)

    def _testbed(
        self, topology: Topology, found: Found, built: Mapping[str, Built], entered: Mapping[str, Entered]
    ) -> Testbed:
        maker = self._maker
        assert maker is not None  # noqa: S101 - for the type checker
        return Testbed(
            run=maker.run,
            topology=topology,
            record=record.provider(maker.cloud, found, built, entered),
            nodes=tuple(
                record.node(node, built[node.name], entered[node.name].console) for node in topology.nodes
            ),
            accesses={node.name: entered[node.name].access for node in topology.nodes},
            private={
                "place": asdict(maker.cloud.place),
                "servers": {name: one.server.id for name, one in built.items()},
                "ports": {name: [port.id for port in one.ports] for name, one in built.items()},
            },
        )

    @quiet()
    def destroy(self) -> list[str]:
        """Remove all that was made, kind by kind, whatever else cannot be."""
        maker, self._maker, self._health = self._maker, None, None
        if maker is None:
            return []
        maker.stop()
        maker.calm(self._timeouts.request)
        return removal.remove_all(maker.things, maker.cloud, self._timeouts.removal)

    @quiet()
    def ended(self, testbed: Testbed, node: str) -> str | None:
        """What the cloud says of the node's server, when it does not run."""
        if self._health is None:
            place = Reference(**testbed.private["place"])
            self._health = Health(door.enter(place), testbed.private["servers"])
        return self._health.ended(node)

    def begin_trial(self, testbed: Testbed) -> None:
        """Throw away frames of an earlier trial that wait for the NICs."""
        jobs = {
            node.name: partial(entrance.drain, testbed.accesses[node.name], node)
            for node in testbed.topology.nodes
        }
        all_at_once(jobs)

    def begin_traffic(self, testbed: Testbed) -> None:
        """Nobody can be held to a pace from here."""

    @quiet()
    def end_traffic(self, testbed: Testbed) -> None:
        """Keep what the consoles say now."""
        cloud = door.enter(Reference(**testbed.private["place"]))
        jobs = {
            node.name: Console(cloud, testbed.private["servers"][node.name], Path(node.console)).read
            for node in testbed.nodes
            if node.console
        }
        all_at_once(jobs)

    @quiet()
    def link(self, testbed: Testbed, node: str, number: int, *, up: bool) -> None:
        """Set the port's administrative state; see `ports.switch`."""
        cloud = door.enter(Reference(**testbed.private["place"]))
        ports.switch(cloud, testbed.private["ports"][node][number], up=up)

    @quiet()
    def capacity(self, settings: Settings) -> int | None:
        """What the project's quotas leave room for; see the protocol."""
        asked = lookup.table(settings)
        cloud = door.enter(door.reference(settings), asked.timeouts.request)
        return capacity.room(cloud, lookup.Lookup(cloud, asked).find(forward_topology(settings.pci)))

    def counters(self, testbed: Testbed) -> Counters:
        """None: a cloud does not tell its users."""
        return {}


def _enter(way: Entrance, built: Mapping[str, Built], progress: Progress) -> dict[str, Entered]:
    """Enter all servers at once."""

    def tick(unfinished: list[str]) -> None:
        progress.tell(f"{len(built) - len(unfinished)} of {len(built)}, waiting for {', '.join(unfinished)}")

    jobs = {name: partial(way.enter, name, one) for name, one in built.items()}
    return all_at_once(jobs, tick=tick, abort=way.interrupted.set)
