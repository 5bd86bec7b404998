"""Whether servers run, as the cloud sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.trouble import MISSING, status

DEAD = {"ERROR", "DELETED", "SOFT_DELETED", "SHUTOFF", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"}
NEWS = 5.0
"""Seconds for which it is believed that a server runs."""


class Health:
    """Of one testbed's servers, by node."""

    def __init__(self, cloud: Cloud, servers: Mapping[str, str]) -> None:
        self._cloud, self._servers = cloud, servers
        self._asked: dict[str, float] = {}

    def ended(self, node: str) -> str | None:
        """Why the node is known to be dead, or None; a cloud that does not answer knows nothing."""
        if time.monotonic() < self._asked.get(node, 0.0) + NEWS:
            return None
        try:
            server = self._cloud.sdk.compute.get_server(self._servers[node])
        except Exception as error:  # noqa: BLE001 - that nobody answers is no news of the server
            return "its server is gone" if status(error) == MISSING else None
        self._asked[node] = time.monotonic()
        return f"its server is {server.status}" if server.status in DEAD else None
