"""What a cloud's operator has in it for users: flavors, an image, a network to the outside."""

from __future__ import annotations

import io
from typing import Any

from stack.running import Crew

FLAVORS = {"small": (512, 1, 1), "diskless": (512, 1, 0)}
"""Megabytes of memory, processors, gigabytes of disk; the last is for servers with a volume."""
IMAGE = "paper"
OUTSIDE = "outside"


def until_ready(crew: Crew, admin: Any) -> None:
    """Wait until servers and volumes have a host."""
    crew.until("nova-compute", lambda: [host for host in admin.compute.hypervisors() if host.state == "up"])
    crew.until("cinder-volume", lambda: _up(admin, "cinder-volume"))


def _up(admin: Any, name: str) -> bool:
    services = admin.block_storage.services()
    return any(service.binary == name and service.state == "up" for service in services)


def furnish(admin: Any) -> None:
    """Make them, for everybody."""
    for name, (memory, processors, disk) in FLAVORS.items():
        admin.compute.create_flavor(name=name, ram=memory, vcpus=processors, disk=disk)
    blank = io.BytesIO(bytes(1 << 20))
    form = {"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    admin.image.create_image(name=IMAGE, data=blank, **form)
    physical = {"provider_network_type": "flat", "provider_physical_network": OUTSIDE}
    network = admin.network.create_network(name=OUTSIDE, is_router_external=True, **physical)
    admin.network.create_subnet(
        name=OUTSIDE, network_id=network.id, cidr="172.30.0.0/24", ip_version=4, is_dhcp_enabled=False
    )
