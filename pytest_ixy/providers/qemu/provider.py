"""Provider `qemu`: restore three machines from one saved state and plug their NICs in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from pytest_ixy.bundle import NicRecord, NodeRecord, ProviderRecord
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.ledger import Ledger
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Testbed
from pytest_ixy.providers.qemu import accel, cloud, disks, image, monitor, network, nics, room, saved
from pytest_ixy.providers.qemu.greeting import greeting
from pytest_ixy.providers.qemu.machine import MAC_PREFIX, Hardware, Machine, nic_name
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Nic, Node, Topology, forward_topology

FIRST_SLOT, LAST_SLOT = 0x06, 0x1F
"""Of the machines' one PCI bus: those before are taken by what every machine has."""


class Qemu:
    """Machines on this host; see `pytest_ixy.providers.base.Provider`."""

    def __init__(self) -> None:
        self._machines: dict[str, Machine] = {}
        self._networks: network.Networks | None = None
        self._doors: dict[str, str] = {}

    def check(self, settings: Settings) -> None:
        """Image, accelerator, PCI addresses and NIC model; see the protocol."""
        for nic in (nic for node in forward_topology(settings.pci).nodes for nic in node.nics):
            _check_address(nic)
        with contextlib.suppress(LabError):  # a program is missing, which `provision` says
            nics.check(settings.nic)
            for node in forward_topology(settings.pci).nodes:
                nics.check_slots(settings.nic, [int(nic.pci[-4:-2], 16) for nic in node.nics], LAST_SLOT)
            if settings.qemu.image:
                cloud.examine(settings.qemu.image.expanduser().resolve())
            if settings.qemu.accel == accel.KVM:
                accel.insist()

    def capacity(self, settings: Settings) -> int:
        """As many as have a core each and the whole memory of their machines, but one; see `room`."""
        return room.testbeds(settings.qemu.memory)

    def provision(
        self, topology: Topology, settings: Settings, book: Ledger, scratch: Path, progress: Progress
    ) -> Testbed:
        """Image, first boot (both once), then restore; see the protocol."""
        with progress.phase("image"):
            hardware = self._hardware(settings, scratch, progress.tell)
        with progress.phase("boot"):
            state = saved.ensure(hardware[0], book, scratch, settings.timeouts.connect, progress.tell)
        with progress.phase("restore"):
            self._restore(topology, hardware[0], state, book, scratch)
            self._plug(topology, nics.DEVICES[settings.nic])
            return self._testbed(topology, hardware, book.run, settings.nic)

    @staticmethod
    def _hardware(settings: Settings, scratch: Path, tell: Callable[[str], None]) -> tuple[Hardware, str]:
        wish = settings.qemu
        found = cloud.ensure(wish.image, tell) if wish.image else image.ensure(tell, scratch)
        chosen, why = accel.choose(wish.accel, found.folder if found.kernel else None)
        return Hardware(found, chosen, wish.memory, offline=settings.offline), why

    def _restore(
        self, topology: Topology, hardware: Hardware, state: saved.Saved, book: Ledger, scratch: Path
    ) -> None:
        """Start all machines at once, then see each of them run."""
        address = f"{book.run}-net"
        book.intend("process", address)
        self._networks = networks = network.Networks(address, topology)
        for node in topology.nodes:
            taps = {name: networks.taps[name] for name in network.tap_names(node)}
            tag = f"{book.run}-{node.name}"
            book.intend("process", tag)
            disk = disks.overlay(state.disk, "qcow2", scratch / f"{node.name}.qcow2")
            console = scratch / f"{node.name}.console"
            door = scratch / f"{node.name}.qmp"
            self._doors[node.name] = str(door)
            self._machines[node.name] = Machine(
                hardware, tag=tag, disk=disk, console=console, taps=taps, restored=True, door=door
            )
        networks.close_taps()
        for node in topology.nodes:
            machine = self._machines[node.name]
            machine.connect()
            saved.restore(machine, state)

    def _plug(self, topology: Topology, device: nics.Device) -> None:
        """Give the machines their test NICs."""
        for node in topology.nodes:
            for number, nic in enumerate(node.nics):
                self._machines[node.name].plug(
                    model=device.driver,
                    backend=network.tap_name(node, nic),
                    mac=mac_address(topology, node, number),
                    pci=nic.pci,
                    extra=device.properties,
                )

    def _testbed(self, topology: Topology, hardware: tuple[Hardware, str], run: str, model: str) -> Testbed:
        accesses = {
            name: saved.access(hardware[0], name, machine.ssh_port())
            for name, machine in self._machines.items()
        }
        nodes = tuple(self._record(topology, node, model) for node in topology.nodes)
        private = {
            "address": f"{run}-net",
            "pids": {name: machine.pid for name, machine in self._machines.items()},
            "doors": dict(self._doors),
        }
        kind, why = hardware[0].accel, hardware[1]
        record = ProviderRecord(
            name="qemu",
            version=next(iter(self._machines.values())).version(),
            accelerator=kind,
            image=hardware[0].image.name,
            notes=(why,),
        )
        greetings = {node.name: greeting(node.nics, nics.DEVICES[model]) for node in topology.nodes}
        return Testbed(run, topology, record, nodes, accesses, greetings, private)

    def _record(self, topology: Topology, node: Node, model: str) -> NodeRecord:
        nics = tuple(
            NicRecord(network=nic.network, pci=nic.pci, mac=mac_address(topology, node, number), model=model)
            for number, nic in enumerate(node.nics)
        )
        return NodeRecord(
            name=node.name, nics=nics, address="127.0.0.1", console=str(self._machines[node.name].console)
        )

    def destroy(self) -> list[str]:
        """Kill the machines; the networks go with them."""
        errors = []
        if self._networks is not None:
            self._networks.close_taps()
        ends = [machine.kill for machine in self._machines.values()]
        for end in (*ends, *([self._networks.close] if self._networks else [])):
            try:
                end()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others must end too
                errors.append(f"{type(error).__name__}: {error}")
        self._machines, self._networks = {}, None
        return errors

    def ended(self, testbed: Testbed, node: str) -> str | None:
        """Whether the node's QEMU is gone."""
        if node in self._machines:
            return self._machines[node].ended()
        alive = _is_machine(testbed.private["pids"][node], f"{testbed.run}-{node}")
        return None if alive else "its QEMU has ended"

    def begin_trial(self, testbed: Testbed) -> None:
        """Throw away frames of an earlier trial."""
        network.ask(testbed.private["address"], {"do": "drain"})

    def begin_traffic(self, testbed: Testbed) -> None:
        """Hold pktgen to what the others can take."""
        receivers = [tap for node in testbed.topology.nodes[:-1] for tap in network.tap_names(node)]
        sender = testbed.topology.nodes[-1].name
        request = {"do": "pace", "pid": testbed.private["pids"][sender], "taps": receivers}
        network.ask(testbed.private["address"], request)

    def end_traffic(self, testbed: Testbed) -> None:
        """Let it run freely again."""
        network.ask(testbed.private["address"], {"do": "pace"})

    def link(self, testbed: Testbed, node: str, number: int, *, up: bool) -> None:
        """Tell its QEMU; the guest sees it, and frames for it are lost meanwhile."""
        plan = testbed.topology.node(node)
        device = nic_name(network.tap_name(plan, plan.nics[number]))
        monitor.tell(Path(testbed.private["doors"][node]), "set_link", name=device, up=up)

    def counters(self, testbed: Testbed) -> Counters:
        """The taps' counters; a tap receives what the guest sends."""
        counted = network.ask(testbed.private["address"], {"do": "counters"})
        return {
            record.name: tuple(
                nic.model_copy(update=counted[network.tap_name(node, plan)])
                for nic, plan in zip(record.nics, node.nics, strict=True)
            )
            for record, node in zip(testbed.nodes, testbed.topology.nodes, strict=True)
        }


def _check_address(nic: Nic) -> None:
    """Raise UsageError for a PCI address that `Machine.plug` cannot give a NIC."""
    found = re.fullmatch(r"0000:00:([0-9a-f]{2})\.0", nic.pci, re.IGNORECASE)
    if not found or not FIRST_SLOT <= int(found[1], 16) <= LAST_SLOT:
        raise UsageError(
            f"A machine of the provider qemu can have no NIC at the PCI address {nic.pci} ({nic.variable}).",
            hint=f"choose one from 0000:00:{FIRST_SLOT:02x}.0 to 0000:00:{LAST_SLOT:02x}.0",
        )


def _is_machine(pid: int, tag: str) -> bool:
    """Whether a process is the QEMU named `tag`; one that is dead but not yet waited for has no words."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return tag.encode() in words


def mac_address(topology: Topology, node: Node, number: int) -> str:
    """A MAC address of the testbed's own: it tells node and NIC."""
    return f"{MAC_PREFIX}:{topology.nodes.index(node) + 1:02x}:{number + 1:02x}"
