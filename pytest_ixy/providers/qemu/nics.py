"""The NIC models that QEMU has, and how each is plugged in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pytest_ixy import nics, programs
from pytest_ixy.errors import UsageError
from pytest_ixy.providers.qemu.machine import QEMU


@dataclass(frozen=True)
class Device:
    """A NIC model in QEMU's words.

    Attributes:
        driver: QEMU's name of the device.
        module: The guest kernel's driver for it.
        since: The first version of QEMU that has it.
        properties: What it is told besides.
        beyond: Slots that it takes besides its own, counted from there.
    """

    driver: str
    module: str
    since: str
    properties: Mapping[str, str | bool] = field(default_factory=dict)
    beyond: tuple[int, ...] = ()


# since QEMU 9.2 "off" is no boolean, but still one of the three values of disable-legacy
DEVICES = {
    # device id 0x1000, which is the one that ixy's virtio driver looks for
    "virtio": Device(
        "virtio-net-pci", "virtio_net", "2.5", {"disable-legacy": "off", "disable-modern": False}
    ),
    "virtio-modern": Device(
        "virtio-net-pci", "virtio_net", "2.5", {"disable-legacy": "on", "disable-modern": False}
    ),
    "e1000": Device("e1000", "e1000", "0.10"),
    "e1000e": Device("e1000e", "e1000e", "2.7"),
    "igb": Device("igb", "igb", "8.0", beyond=(16, 17)),
    "vmxnet3": Device("vmxnet3", "vmxnet3", "1.5"),
}


def check(model: str) -> None:
    """Whether machines can have such NICs.

    Raises:
        UsageError: they cannot, or not with the QEMU that is installed.
        LabError: there is no QEMU.
    """
    nics.require(model, DEVICES, "qemu")
    device = DEVICES[model]
    if model != nics.DEFAULT and device.driver not in offered():
        raise UsageError(
            f"This QEMU ({_version()}) has no NIC of the model {model}.",
            hint=f"it came with QEMU {device.since}; choose another one: --ixy-nic={'|'.join(DEVICES)}",
        )


def check_slots(model: str, slots: Collection[int], last: int) -> None:
    """Whether one machine can have such NICs at those slots of its bus.

    Raises:
        UsageError: what one of them takes besides is another one's, or is not there.
    """
    beyond = {slot + more for slot in slots for more in DEVICES[model].beyond}
    wanted = len(slots) * len(DEVICES[model].beyond)
    if len(beyond) != wanted or beyond & {*slots} or any(slot > last for slot in beyond):
        numbers = " and ".join(f"{slot:02x}.0" for slot in slots)
        raise UsageError(
            f"A machine of the provider qemu cannot have NICs of the model {model} at {numbers}: their "
            "virtual functions take the slots 16 and 17 further on.",
            hint='two slots apart they fit: [test.pci_addresses] fwd_dst = "0000:00:08.0" in config.toml',
        )


def offered() -> set[str]:
    """QEMU's own names of all devices that it has."""
    said = programs.output_of([QEMU, "-device", "help"])
    return set(re.findall(r'^name "([^"]+)"', said.stdout + said.stderr, re.MULTILINE))


def _version() -> str:
    said = programs.output_of([QEMU, "--version"]).stdout
    found = re.search(r"version (\S+)", said)
    return found[1] if found else "of an unknown version"
