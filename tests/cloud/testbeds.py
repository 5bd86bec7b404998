"""What tests of the provider need: settings for a cloud, and a stand-in for entering servers.

Servers of the first tier are made by nova's fake driver: they have ports and addresses and no system in them.
"""

from __future__ import annotations

import json
from pathlib import Path

from pytest_ixy.progress import Progress
from pytest_ixy.providers.openstack.entrance import Entered, Entrance
from pytest_ixy.providers.openstack.provider import OpenStack
from pytest_ixy.providers.openstack.visit import Seen
from pytest_ixy.remote import Access
from pytest_ixy.settings import resolve
from pytest_ixy.topology import forward_topology

SLOTS = ("0000:00:04.0", "0000:00:05.0")


def settings(folder, **table):
    """Of a config.toml in that folder with these keys in [openstack]; None leaves a key out."""
    given = {"flavor": "small", "image": "paper", "cloud": "tenant", **table}
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
    file = Path(folder) / "config.toml"
    file.write_text("\n".join(["[openstack]", *lines, ""]))
    cli = {"config": str(file), "provider": "openstack"}
    return resolve(cli=cli, environ={}, ini={})


def stand_in(entrance, node, built):
    """In place of `Entrance.enter`: what a server would say if there were one."""
    entrance.consoles[node].read()
    access = Access(name=node, host=built.address, user=entrance.user, key=entrance.key, host_key="k")
    found = {port.mac_address: pci for port, pci in zip(built.ports, SLOTS, strict=False)}
    return Entered(access, False, Seen(found, {}), str(entrance.consoles[node].file))


def provision(book, scratch, settings, progress=None):
    """The provider, and the testbed that it made."""
    Entrance.enter = stand_in
    provider = OpenStack()
    try:
        provider.check(settings)
        testbed = provider.provision(
            forward_topology(settings.pci), settings, book, Path(scratch), progress or Progress()
        )
    except BaseException:
        errors = provider.destroy()
        assert errors == [], errors
        raise
    return provider, testbed
