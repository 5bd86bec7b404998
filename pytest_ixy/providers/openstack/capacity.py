"""How many testbeds a project has room for now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.lookup import Found
from pytest_ixy.providers.openstack.trouble import attempt

SERVERS = 3
NICS = 4


def room(cloud: Cloud, found: Found) -> int | None:
    """Testbeds that the quotas leave room for; None where nothing bounds them. LabError without an answer."""
    if found.ports:  # made by hand, and there is only one of each
        return 1
    rooms = list(_compute(cloud, found)) + list(_network(cloud, found))
    return max(0, min(rooms)) if rooms else None


def _compute(cloud: Cloud, found: Found) -> Iterator[int]:
    limits: Any = attempt("ask for limits", cloud.where, cloud.sdk.compute.get_limits).absolute
    for limit, used, need in (
        (limits.instances, limits.instances_used, 1),
        (limits.total_cores, limits.total_cores_used, found.flavor.vcpus),
        (limits.total_ram, limits.total_ram_used, found.flavor.ram),
    ):
        yield from _left(limit, used, need * SERVERS)


def _network(cloud: Cloud, found: Found) -> Iterator[int]:
    quota: Any = attempt(
        "ask for quotas",
        cloud.where,
        lambda: cloud.sdk.network.get_quota(cloud.place.project, details=True),
    )
    makes = found.management is None
    needs = {
        "networks": (0 if found.networks else 2) + makes,
        "ports": SERVERS + NICS + makes,
        "routers": int(makes and found.pool is not None),
        "floating_ips": SERVERS if found.pool is not None else 0,
    }
    for name, need in needs.items():
        told = getattr(quota, name)
        if isinstance(told, dict):
            yield from _left(told["limit"], told["used"], need)


def _left(limit: int | None, used: int | None, need: int) -> Iterator[int]:
    if need and limit is not None and limit >= 0:
        yield (limit - (used or 0)) // need
