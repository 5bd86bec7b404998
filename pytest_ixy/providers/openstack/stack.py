"""All that one testbed needs in a cloud, in the order in which it can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_ixy.config import OpenStackTable
from pytest_ixy.errors import LabError
from pytest_ixy.parallel import all_at_once
from pytest_ixy.printable import one_line
from pytest_ixy.progress import Progress
from pytest_ixy.providers.openstack.lookup import Found
from pytest_ixy.providers.openstack.maker import Maker
from pytest_ixy.providers.openstack.trouble import ROOM
from pytest_ixy.topology import Nic, Node, Topology

MANAGEMENT, NORMAL = "management", "normal"
RANGES = {MANAGEMENT: "10.97.0.0/24", 0: "10.97.1.0/24", 1: "10.97.2.0/24"}
OPEN = (("tcp", 22), ("icmp", None))
"""What the security group of the nodes lets in."""

Jobs = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Built:
    """A node that runs.

    Attributes:
        server: As openstacksdk tells it.
        address: Where it is reached.
        ports: Of its test NICs, in their order.
        mtu: Of the narrowest of their networks; 0 where the cloud does not tell.
    """

    server: Any
    address: str
    ports: tuple[Any, ...]
    mtu: int = 0


class Stack:
    """Makes a topology in a cloud.

    Args:
        maker: Makes things.
        asked: The user's table.
        found: What is there already.
        topology: What is wanted.
        progress: Told what is waited for.
        way: The vnic type of all test NICs, in place of the table's.
    """

    def __init__(  # noqa: PLR0913
        self,
        maker: Maker,
        asked: OpenStackTable,
        found: Found,
        topology: Topology,
        progress: Progress,
        *,
        way: str | None = None,
    ) -> None:
        self._maker, self._asked, self._found, self._topology = maker, asked, found, topology
        self._progress, self._way = progress, way
        self._networks: dict[str, Any] = dict(found.networks)
        self._ports: dict[str, Any] = dict(found.ports)
        self._group: Any = None
        self._keypair = found.keypair
        self._volumes: dict[str, Any] = {}

    def networks(self, public_key: str) -> None:
        """Everything that servers are plugged into, and how to log in to them; IxyError when it cannot be."""
        first: dict[str, Callable[[], Any]] = {}
        if not self._keypair:
            first["keypair"] = lambda: self._make_keypair(public_key)
        if self._found.management is None or self._found.management.is_port_security_enabled:
            first["security group"] = self._make_group
        for number, name in enumerate(self._topology.networks):
            if name not in self._networks:
                first[name] = partial(self._make_network, name, number)
        if self._found.management is None:
            first[MANAGEMENT] = self._make_management
        self._at_once(first)
        self._at_once(self._port_jobs())

    def servers(self) -> dict[str, Built]:
        """The nodes, once they run, by name; IxyError when one does not."""
        if self._found.volume:
            self._at_once(
                {f"volume of {node.name}": partial(self._make_volume, node) for node in self._nodes}
            )
        jobs: dict[str, Callable[[], Any]] = {
            node.name: partial(self._make_server, node) for node in self._nodes
        }
        if self._found.pool is not None:
            jobs |= {_address(node): partial(self._make_address, node) for node in self._nodes}
        made = self._at_once(jobs)
        return {node.name: self._built(node, made) for node in self._nodes}

    @property
    def _nodes(self) -> tuple[Node, ...]:
        return self._topology.nodes

    def _at_once(self, jobs: Jobs) -> dict[str, Any]:
        def tick(unfinished: list[str]) -> None:
            self._progress.tell(
                f"{len(jobs) - len(unfinished)} of {len(jobs)}, waiting for {', '.join(unfinished)}"
            )

        return all_at_once(jobs, tick=tick, abort=self._maker.stop)

    def _make_keypair(self, public_key: str) -> None:
        self._keypair = self._maker.make("keypair", "key", public_key=public_key).name

    def _make_group(self) -> None:
        self._group = group = self._maker.make("security-group", "ssh")
        for protocol, port in OPEN:
            rule: dict[str, Any] = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol}
            rule |= {"port_range_min": port, "port_range_max": port} if port else {}
            self._maker.join(
                "open the nodes to SSH",
                partial(
                    self._maker.cloud.sdk.network.create_security_group_rule,
                    security_group_id=group.id,
                    **rule,
                ),
            )

    def _make_network(self, name: str, number: int) -> None:
        """A network on which nobody but the roles says anything."""
        self._networks[name] = network = self._maker.make("network", name, **self._unguarded())
        self._maker.make(
            "subnet",
            name,
            network_id=network.id,
            ip_version=4,
            cidr=RANGES[number],
            is_dhcp_enabled=False,
            gateway_ip=None,
        )

    def _unguarded(self) -> dict[str, Any]:
        return {"is_port_security_enabled": False} if self._found.is_guarded else {}

    def _make_management(self) -> None:
        self._networks[MANAGEMENT] = network = self._maker.make("network", MANAGEMENT)
        subnet = self._maker.make(
            "subnet", MANAGEMENT, network_id=network.id, ip_version=4, cidr=RANGES[MANAGEMENT]
        )
        if self._found.pool is None:
            return
        router = self._maker.make(
            "router", MANAGEMENT, external_gateway_info={"network_id": self._found.pool.id}
        )
        self._maker.join(
            "join the management network to its router",
            lambda: self._maker.cloud.sdk.network.add_interface_to_router(router.id, subnet_id=subnet.id),
        )

    def _port_jobs(self) -> Jobs:
        jobs: dict[str, Callable[[], Any]] = {
            f"way to {node.name}": partial(self._make_management_port, node) for node in self._nodes
        }
        for nic in (nic for node in self._nodes for nic in node.nics):
            if nic.variable not in self._ports:
                jobs[f"port {nic.key}"] = partial(self._make_test_port, nic)
        return jobs

    def _make_management_port(self, node: Node) -> None:
        network = self._found.management or self._networks[MANAGEMENT]
        groups = {"security_group_ids": [self._group.id]} if self._group else {}
        self._ports[node.name] = self._maker.make("port", node.name, network_id=network.id, **groups)

    def _make_test_port(self, nic: Nic) -> None:
        name = nic.key
        kind = self._way or getattr(self._asked.vnic_types, name) or self._asked.vnic_type
        self._ports[nic.variable] = self._maker.make(
            "port",
            name.replace("_", "-") + "-nic",
            network_id=self._networks[nic.network].id,
            security_group_ids=[],
            **self._unguarded(),
            **({} if kind == NORMAL else {"binding_vnic_type": kind}),
        )

    def _make_volume(self, node: Node) -> None:
        made = self._maker.make(
            "volume",
            node.name,
            size=self._found.volume,
            image_id=self._found.image.id,
            availability_zone=self._asked.availability_zone,
        )
        self._volumes[node.name] = self._maker.wait(
            "volume", made, _volume_ready, self._asked.timeouts.servers
        )

    def _make_server(self, node: Node) -> Any:
        ports = [self._ports[node.name], *(self._ports[nic.variable] for nic in node.nics)]
        given: dict[str, Any] = {
            "flavor_id": self._found.flavor.id,
            "key_name": self._keypair,
            "networks": [{"port": port.id} for port in ports],
        }
        if zone := self._asked.availability_zone:
            given["availability_zone"] = zone
        made = self._maker.make("server", node.name, **given, **self._disk(node))
        return self._maker.wait("server", made, server_ready, self._asked.timeouts.servers)

    def _disk(self, node: Node) -> dict[str, Any]:
        if not self._found.volume:
            return {"image_id": self._found.image.id}
        volume = {"uuid": self._volumes[node.name].id, "source_type": "volume", "destination_type": "volume"}
        return {"block_device_mapping": [{**volume, "boot_index": 0, "delete_on_termination": False}]}

    def _make_address(self, node: Node) -> Any:
        port = self._ports[node.name]
        return self._maker.make(
            "floating-ip", node.name, floating_network_id=self._found.pool.id, port_id=port.id
        )

    def _mtu(self, node: Node) -> int:
        return min((self._networks[nic.network].mtu or 0 for nic in node.nics), default=0)

    def _built(self, node: Node, made: Mapping[str, Any]) -> Built:
        outer = made.get(_address(node))
        inner = [each["ip_address"] for each in self._ports[node.name].fixed_ips]
        inner.sort(key=lambda address: ":" in address)
        if not outer and not inner:
            raise LabError(
                f"The server of {node.name} has no address.",
                hint="the management network needs a subnet: see management_network in [openstack]",
            )
        ports = tuple(self._ports[nic.variable] for nic in node.nics)
        return Built(
            made[node.name], outer.floating_ip_address if outer else inner[0], ports, self._mtu(node)
        )


def _address(node: Node) -> str:
    return f"address of {node.name}"


def server_ready(server: Any) -> bool:
    """Whether it runs; LabError once it cannot be made."""
    if server.status != "ERROR":
        return bool(server.status == "ACTIVE")
    fault = server.fault or {}
    why = one_line(str(fault.get("message") or "no reason is told"))[:400]
    raise LabError(f"The server {server.name} could not be made: {why}", hint=_mend(why))


def _mend(why: str) -> str:
    if "quota" in why.lower():  # of several at once, nova counts some only when it makes them
        return ROOM
    if "No valid host" in why or "Exhausted all hosts" in why:
        return (
            "no host has room for it: take a smaller flavor or another availability_zone; ports of vnic_type "
            "direct or macvtap need a host with free virtual functions in that physical network"
        )
    return "see the flavor, the image and the vnic_type in [openstack]; then ask those who run the cloud"


def _volume_ready(volume: Any) -> bool:
    if volume.status.startswith("error"):
        raise LabError(
            f"The volume {volume.name} could not be made: it is {volume.status}.",
            hint="is the image larger than the volume? Else ask those who run the cloud, or boot without "
            "(volume = 0)",
        )
    return bool(volume.status == "available")
