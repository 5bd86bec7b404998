"""What a cloud's operator has in it for users: flavors, an image, a network to the outside."""

from __future__ import annotations

import io
from typing import Any

from stack.running import Crew
from stack.services.neutron import AGENTS
from stack.site import API

FLAVORS = {"small": (512, 1, 1), "diskless": (512, 1, 0), "machine": (2048, 2, 8)}
"""Megabytes of memory, processors, gigabytes of disk."""
IMAGE = "paper"
OUTSIDE = "outside"
GATEWAY = "172.30.0.1"
"""Of the floating IPs' network; where there are machines, it is this machine."""


def until_ready(crew: Crew, admin: Any) -> None:
    """Wait until servers and volumes have a host."""
    crew.until("nova-compute", lambda: [host for host in admin.compute.hypervisors() if host.state == "up"])
    if crew.site.tier == API:
        crew.until("cinder-volume", lambda: _up(admin, "cinder-volume"))
    else:
        crew.until("agents", lambda: sum(agent.is_alive for agent in admin.network.agents()) == len(AGENTS))


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
        name=OUTSIDE,
        network_id=network.id,
        cidr=f"{GATEWAY}/24",
        gateway_ip=GATEWAY,
        ip_version=4,
        is_dhcp_enabled=False,
    )
