"""What a bundle's manifest says of a testbed in a cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata

from pytest_ixy.bundle import NicRecord, NodeRecord, ProviderRecord
from pytest_ixy.printable import one_line
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.entrance import Entered, macs
from pytest_ixy.providers.openstack.lookup import Found
from pytest_ixy.providers.openstack.stack import Built
from pytest_ixy.topology import Node

HEADER, LARGEST = 14, 1514
"""Bytes of an Ethernet header, which an MTU does not count, and of the largest frame that a test sends."""


def provider(
    cloud: Cloud, found: Found, built: Mapping[str, Built], entered: Mapping[str, Entered]
) -> ProviderRecord:
    """Where it was tested."""
    return ProviderRecord(
        name="openstack",
        version=f"openstacksdk {metadata.version('openstacksdk')}",
        image=one_line(found.image.name or found.image.id),
        notes=tuple(map(one_line, _notes(cloud, found, built, entered))),
    )


def _notes(
    cloud: Cloud, found: Found, built: Mapping[str, Built], entered: Mapping[str, Entered]
) -> Iterator[str]:
    region = cloud.sdk.config.get_region_name()
    yield f"{cloud.where}, region {region or '-'}"
    yield f"flavor {found.flavor.name}" + (f", volumes of {found.volume} GiB" if found.volume else "")
    for name, one in built.items():
        host = one.server.hypervisor_hostname or one.server.host_id or "not told"
        types = ", ".join(str(port.binding_vnic_type or "normal") for port in one.ports)
        yield f"{name}: host {host}, vnic type {types}"
    mtu = min(one.mtu for one in built.values())
    if 0 < mtu < LARGEST - HEADER:
        yield f"the test networks' MTU is {mtu}: frames above {mtu + HEADER} bytes do not pass"
    trusted = [name for name, one in entered.items() if not one.vouched]
    if trusted:
        yield f"host keys trusted at first sight: {', '.join(trusted)}"
    if vouched := [name for name in entered if name not in trusted]:
        yield f"host keys read from the console: {', '.join(vouched)}"


def node(plan: Node, built: Built, console: str | None) -> NodeRecord:
    """A node as it is, with the NICs' real PCI addresses in the plan."""
    nics = tuple(
        NicRecord(network=nic.network, pci=nic.pci, mac=mac)
        for nic, mac in zip(plan.nics, macs(built), strict=True)
    )
    return NodeRecord(name=plan.name, nics=nics, address=built.address, console=console)
