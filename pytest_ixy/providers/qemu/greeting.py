"""What root runs on a machine once it has been reached: its clock stood still, and its NICs are new."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ixy.providers.qemu.nics import Device
    from pytest_ixy.topology import Nic

VIRTIO = "virtio_net"


def greeting(own: tuple[Nic, ...], device: Device) -> str:
    """Set the clock, which stood still, stir the random pool, and wait for the NICs.

    virtio's driver is loaded, as the machine has such disks and NICs of its own. A guest that has none for
    another model is good for programs that drive the device by themselves.
    """
    folders = " ".join(f"/sys/bus/pci/devices/{nic.pci}" for nic in own)
    module = "" if device.module == VIRTIO else f"modprobe -q {device.module} || wanted=vendor; "
    return (
        "date -s @{now} >/dev/null; "
        f"echo {os.urandom(32).hex()} > /dev/urandom; "
        f"wanted=driver; {module}"
        f"for nic in {folders}; do n=0; until [ -e $nic/$wanted ]; do n=$((n+1)); "
        '[ $n -lt 200 ] || { echo "no $wanted of $nic"; exit 1; }; sleep 0.05; done; done'
    )
