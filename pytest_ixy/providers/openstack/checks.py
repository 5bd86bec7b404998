"""What `pytest-ixy doctor` looks at in a cloud; nothing is made."""

from __future__ import annotations

from pytest_ixy import check
from pytest_ixy.check import Check, State
from pytest_ixy.errors import IxyError
from pytest_ixy.providers.openstack import capacity, door, lookup
from pytest_ixy.providers.openstack.quiet import quiet
from pytest_ixy.settings import Settings
from pytest_ixy.topology import forward_topology

NAME = "cloud"


def cloud(settings: Settings) -> Check:
    """Whether the cloud lets us in, has what is named, and has room."""
    try:
        with quiet():
            return _look(settings)
    except IxyError as error:
        return Check(NAME, State.MISSING, error.what, error.hint)


def _look(settings: Settings) -> Check:
    asked = lookup.table(settings)
    entered = door.enter(door.reference(settings), asked.timeouts.request)
    found = lookup.Lookup(entered, asked).find(forward_topology(settings.pci))
    room = capacity.room(entered, found)
    text = f"{entered.where}: flavor {found.flavor.name}, image {found.image.name}"
    if room == 0:
        return Check(NAME, State.WARN, f"{text}; its quotas leave no room for a testbed now")
    return check.ok(NAME, f"{text}; room for {room if room is not None else 'any number of'} testbeds")


PROBES = (cloud,)
