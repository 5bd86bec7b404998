"""What is there already and is to be used: flavor, image, networks, ports, keypair, pool of addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_ixy import nics
from pytest_ixy.config import OpenStackTable
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.trouble import attempt
from pytest_ixy.settings import Settings
from pytest_ixy.tomlfile import nearest
from pytest_ixy.topology import Topology

MANAGEMENT, POOL = "internet", "internet_pool"
"""What ixy-ci calls the network by which it reaches its servers, and the pool of their addresses."""
PORTS = {
    "PCI_ADDR_PKTGEN": "pktgen",
    "PCI_ADDR_FWD_SRC": "fwd-in",
    "PCI_ADDR_FWD_DST": "fwd-out",
    "PCI_ADDR_PCAP": "pcap",
}
"""What ixy-ci calls the ports of the test networks, by the NIC's variable."""
VOLUME = 20
"""GiB of the volume that ixy-ci boots from."""
ROOT = "root"
PASSED = {"ixgbe", "ixgbevf"}
"""Models that no image gives: devices of the host."""


@dataclass(frozen=True)
class Found:
    """What a testbed is made with, as openstacksdk's resources.

    Attributes:
        flavor, image: Of the servers.
        user: Who can log in to the image.
        keypair: Name of a keypair that exists; empty to make one.
        networks: The test networks that exist, by their name in the topology.
        ports: Ports of those that exist, by the NIC's variable.
        management: The network by which the nodes are reached; None to make one.
        pool: The external network that gives them addresses; None where they need none.
        volume: GiB of a volume to boot from; 0 for none.
        is_guarded: Whether the cloud has port security, which must be switched off.
    """

    flavor: Any
    image: Any
    user: str
    keypair: str = ""
    networks: Mapping[str, Any] = field(default_factory=dict)
    ports: Mapping[str, Any] = field(default_factory=dict)
    management: Any = None
    pool: Any = None
    volume: int = 0
    is_guarded: bool = True


def table(settings: Settings) -> OpenStackTable:
    """What `[openstack]` says, as far as it can be checked here; UsageError when it cannot be so."""
    found = settings.openstack
    if found is None or not found.flavor or not found.image:
        raise UsageError(
            "The provider openstack needs a flavor and an image.",
            hint="write both into [openstack] of config.toml, and give --ixy-config=config.toml; "
            "see docs/providers/openstack.md",
        )
    if found.cloud and found.auth_url:
        raise UsageError("[openstack] has both a cloud of clouds.yaml and an auth_url; give one of them.")
    if found.networks and (len(found.networks) != 2 or len(set(found.networks)) != 2):  # noqa: PLR2004
        raise UsageError("networks in [openstack] should be two different ones: pktgen-fwd, fwd-pcap.")
    if settings.offline:
        raise UsageError("The provider openstack cannot cut servers off the internet (--ixy-offline).")
    _check_key(key_file(settings))
    return found


def key_file(settings: Settings) -> Path | None:
    """The user's own private key; a relative path starts at the folder of config.toml."""
    path = settings.openstack and settings.openstack.private_key_path
    folder = settings.config.parent if settings.config else Path.cwd()
    return folder / Path(path).expanduser() if path else None


def _check_key(path: Path | None) -> None:
    if path and not path.is_file():
        raise UsageError(
            f"There is no private key {path} (private_key_path in [openstack]).",
            hint="leave keypair and private_key_path out: then each run makes its own",
        )


def check_model(asked: str | None, image: Any) -> None:
    """Raise UsageError for a NIC model that was asked for and is not the image's, whose choice it is."""
    if asked is None or asked in nics.WAYS or asked in PASSED:
        return
    made = image.hw_vif_model or nics.DEFAULT
    if asked.removesuffix("-modern") != made:
        raise UsageError(
            f"The image {one_line(str(image.name))} gives NICs of the model {one_line(made)}, not {asked}.",
            hint=f"take another image, or: openstack image set --property hw_vif_model={asked} IMAGE",
        )


class Lookup:
    """Finds what is there in one cloud."""

    def __init__(self, cloud: Cloud, asked: OpenStackTable) -> None:
        self._cloud, self._asked = cloud, asked

    def find(self, topology: Topology) -> Found:
        """Everything; UsageError for what is named and not there, LabError for what cannot be used."""
        image = self._image()
        flavor = self._named("flavor", str(self._asked.flavor), self._cloud.sdk.compute.flavors)
        networks = {network.id: network for network in self._list("networks")}
        tests = self._tests(topology, networks)
        management = self._management(networks)
        return Found(
            flavor=flavor,
            image=image,
            user=self._asked.ssh_login or self._image_user(image),
            keypair=self._keypair(),
            networks=tests,
            ports=self._ports(topology, tests),
            management=management,
            pool=self._pool(networks, management) if self._asked.floating_ips else None,
            volume=self._volume(flavor),
            is_guarded="port-security" in {one.alias for one in self._list("extensions")},
        )

    def _list(self, words: str, **query: Any) -> list[Any]:
        return self._ask(f"list the {words}", lambda: getattr(self._cloud.sdk.network, words)(**query))

    def _ask(self, doing: str, work: Callable[[], Iterable[Any]]) -> list[Any]:
        return attempt(doing, self._cloud.where, lambda: list(work()))

    def _named(self, what: str, name: str, work: Callable[[], Iterable[Any]]) -> Any:
        """The one thing of that name or id."""
        return self._one(what, name, self._ask(f"list the {what}s", work))

    def _one(self, what: str, name: str, things: Iterable[Any]) -> Any:
        things = list(things)
        found = [one for one in things if name == one.id] or [one for one in things if name == one.name]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(one.id for one in found[:5])
            raise UsageError(
                f"{self._cloud.where} has {len(found)} of the name {one_line(name)!r} ({what}).",
                hint=f"give one of their ids in place of the name: {ids}",
            )
        names = sorted({one.name for one in things if one.name})[:50]
        raise UsageError(
            f"{self._cloud.where} has no {what} {one_line(name)!r}{one_line(nearest(name, names))}.",
            hint=f"mend the {what}'s name in [openstack] of config.toml, or make it",
        )

    def _image(self) -> Any:
        name = str(self._asked.image)
        found = self._named("image", name, self._cloud.sdk.image.images)
        if found.status != "active":
            raise LabError(
                f"The image {one_line(name)!r} cannot be used: it is {found.status}.", hint="take another"
            )
        return found

    def _image_user(self, image: Any) -> str:
        told = (image.properties or {}).get("os_admin_user") or getattr(image, "os_admin_user", None)
        return str(told or ROOT)

    def _keypair(self) -> str:
        name = self._asked.keypair
        if not name:
            return ""
        pairs = self._ask("list the keypairs", self._cloud.sdk.compute.keypairs)
        names = [pair.name for pair in pairs]
        if name not in names:
            raise UsageError(
                f"{self._cloud.where} has no keypair {one_line(name)!r}{one_line(nearest(name, names))}.",
                hint="without keypair and private_key_path each run makes one of its own",
            )
        return name

    def _tests(self, topology: Topology, networks: Mapping[str, Any]) -> dict[str, Any]:
        """The test networks that exist: those that are named, else those of ixy-ci's names, both or none."""
        asked = self._asked.networks
        if asked:
            found = [self._one("network", name, networks.values()) for name in asked]
            return dict(zip(topology.networks, found, strict=True))
        if asked is not None:
            return {}
        own = [one for one in networks.values() if one.project_id == self._cloud.place.project]
        named = {name: [one for one in own if one.name == name] for name in topology.networks}
        return (
            {name: one[0] for name, one in named.items()}
            if all(len(one) == 1 for one in named.values())
            else {}
        )

    def _ports(self, topology: Topology, tests: Mapping[str, Any]) -> dict[str, Any]:
        """Ports that somebody made by hand for ixy-ci."""
        found = {}
        for nic in (nic for node in topology.nodes for nic in node.nics if nic.network in tests):
            there = self._list("ports", network_id=tests[nic.network].id, name=PORTS[nic.variable])
            for port in there[:1]:
                found[nic.variable] = self._usable(port)
        return found

    def _usable(self, port: Any) -> Any:
        if port.is_port_security_enabled:
            raise LabError(
                f"The port {port.name} has port security on: it lets only frames with its own address pass.",
                hint=f"openstack port set --no-security-group --disable-port-security {port.id}",
            )
        if port.device_id:
            raise LabError(
                f"The port {port.name} is in use by {one_line(port.device_id)}.",
                hint="wait until that run is over; or write networks = [] into [openstack], "
                "then each run makes networks and ports of its own",
            )
        return port

    def _management(self, networks: Mapping[str, Any]) -> Any:
        if name := self._asked.management_network:
            return self._one("network", name, networks.values())
        found = [one for one in networks.values() if one.name == MANAGEMENT]
        return found[0] if len(found) == 1 else None

    def _pool(self, networks: Mapping[str, Any], management: Any) -> Any:
        """The external network for floating IPs: the named one, the management network's, or the only one."""
        outer = [one for one in networks.values() if one.is_router_external]
        if name := self._asked.floating_ip_pool:
            return self._one("floating IP pool", name, outer)
        if management is not None and management.is_router_external:
            return None
        if management is not None and (gateway := self._gateway(management)):
            return networks.get(gateway)
        named = [one for one in outer if one.name == POOL] or outer
        if len(named) == 1:
            return named[0]
        names = ", ".join(one_line(one.name) for one in outer) or "none"
        raise UsageError(
            f"Which external network is to give the nodes their floating IPs? There are: {names}.",
            hint='write floating_ip_pool = "NAME" into [openstack]; or management_network = "NAME" and '
            "floating_ips = false for a network that can be reached from here",
        )

    def _gateway(self, management: Any) -> str:
        """The external network behind the router of that network, as far as we may see it."""
        for port in self._list("ports", network_id=management.id):
            if "router_interface" in port.device_owner:
                routers = [one for one in self._list("routers") if one.id == port.device_id]
                for router in routers:
                    return str((router.external_gateway_info or {}).get("network_id") or "")
        return ""

    def _volume(self, flavor: Any) -> int:
        if self._asked.volume is not None:
            return self._asked.volume
        return 0 if flavor.disk else VOLUME
