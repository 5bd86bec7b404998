"""The lab's machines: made by the provider `qemu`, on one network that nothing leads into but the bastion."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_ixy import paths
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.remote import Host
from pytest_ixy.settings import resolve
from pytest_ixy.testbed import Owner, Workspace, close, connect, run_id
from pytest_ixy.topology import Nic, Node, Topology

NETWORK, PCI = "lab", "0000:00:06.0"
BASTION = "bastion"
ADDRESSES = {
    BASTION: "10.77.0.1",
    "agw": "10.77.0.2",
    "feg1": "10.77.0.11",
    "feg2": "10.77.0.12",
    "feg3": "10.77.0.13",
    "ng40": "10.77.0.20",
}
JOIN = f"""
nic=$(ls /sys/bus/pci/devices/{PCI}/virtio*/net)
ip address add $ADDRESS/24 dev "$nic" && ip link set "$nic" up && hostname "$NAME"
echo "127.0.0.1 $NAME" >>/etc/hosts
"""
"""The machines keep the usual memory: 512 huge pages are reserved at boot, and a smaller one would not start.
Of what they have, each takes some 300 MB of this host."""


def topology() -> Topology:
    """Every machine has one NIC, and all NICs are on one network."""
    nic = Nic(NETWORK, PCI, "PCI_ADDR_LAB")
    return Topology((NETWORK,), tuple(Node(name, (nic,)) for name in ADDRESSES))


@contextmanager
def machines(state: Path) -> Iterator[Mapping[str, Host]]:
    """The machines, joined, with connections of the test's own; `state` is a folder for their ledger."""
    with pytest.MonkeyPatch.context() as patch:
        _separate(patch, state)
        settings = resolve(cli={}, environ={}, ini={})
        owner = Owner(Workspace(run_id("teravm", "standin")), registry.load("qemu"))
        try:
            testbed = owner.provision(topology(), settings, Progress())
            hosts = connect(testbed, owner.provider, settings, Progress())
            all_at_once({name: lambda host=host: _join(host) for name, host in hosts.items()})
            patch.undo()
            yield hosts
            close(hosts)
        finally:
            assert owner.release() == []


def _separate(patch: pytest.MonkeyPatch, state: Path) -> None:
    """Keep the machines' ledger from the runs that are tested; whether KVM works is known already."""
    (state / "pytest-ixy").mkdir(parents=True)
    for known in paths.state_folder().glob("kvm-*.json"):
        shutil.copy(known, state / "pytest-ixy")
    patch.setenv("XDG_STATE_HOME", str(state))


def _join(host: Host) -> None:
    given = {"ADDRESS": ADDRESSES[host.name], "NAME": host.name}
    host.run(JOIN, timeout=60, root=True, environment=given, check=True)
