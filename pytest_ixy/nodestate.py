"""What state a node was in at one moment: plain data, as a probe on the node told it.

A node is in a target's hands, so it may say anything: how much and how long is bounded here, also for a
manifest that comes from elsewhere.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pytest_ixy.record import Record

MOST, LONGEST = 300, 200
"""Of each kind of thing, and characters of a name."""

Name = Annotated[str, Field(max_length=LONGEST)]
Size = Annotated[int, Field(ge=0, lt=10**15)]


class HugePages(Record):
    """Huge pages of one size in KiB; `free` are those that nobody has."""

    size: Size
    total: Size
    free: Size

    @property
    def used(self) -> int:
        """Pages that somebody has, be it a file that nobody maps."""
        return max(0, self.total - self.free)


class Device(Record):
    """A test NIC as sysfs shows it.

    Attributes:
        pci: Its address.
        present: Whether there is such a device; nothing else is known where not.
        vendor, device: Ids, such as `0x1af4`.
        driver: Name of the driver that has it; empty for none.
        features: What a virtio device offers, as sysfs's row of bits; empty where sysfs does not say.
        command: Its PCI command register.
        link: The interface's state in the kernel's words; empty without one.
    """

    pci: Name
    present: bool
    vendor: Name = ""
    device: Name = ""
    driver: Name = ""
    features: Name = ""
    command: Size = 0
    link: Name = ""

    @property
    def masters(self) -> bool:
        """Whether it may write to memory by itself."""
        return bool(self.command & 4)


class Living(Record):
    """A process that runs; `started`, in clock ticks since boot, tells it from a later one of that id."""

    pid: Size
    started: Size
    name: Name


class NodeState(Record):
    """A node at one moment; memory in KiB. Kernel threads, and what asks, are not among the processes.

    `core_pattern` is what the kernel does with core dumps, told before a trial only.
    """

    memory: Size = 0
    available: Size = 0
    huge_pages: Annotated[tuple[HugePages, ...], Field(max_length=MOST)] = ()
    files: Annotated[tuple[Name, ...], Field(max_length=MOST)] = ()
    devices: Annotated[tuple[Device, ...], Field(max_length=MOST)] = ()
    processes: Annotated[tuple[Living, ...], Field(max_length=MOST)] = ()
    core_pattern: Name = ""

    def without(self, pci: str) -> bool:
        """True when the device at that address is known not to be there."""
        return any(device.pci == pci and not device.present for device in self.devices)
