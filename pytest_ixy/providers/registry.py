"""Which providers there are: the built-in ones, and those of other distributions.

A third party adds one by an entry point of the group `pytest_ixy.providers` that names a class which
keeps to the protocol `pytest_ixy.providers.base.Provider`.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from pytest_ixy.errors import UsageError
from pytest_ixy.providers.base import Provider
from pytest_ixy.tomlfile import nearest

GROUP = "pytest_ixy.providers"
BUILT_IN = (
    EntryPoint("qemu", "pytest_ixy.providers.qemu.provider:Qemu", GROUP),
    EntryPoint("static", "pytest_ixy.providers.static.provider:Static", GROUP),
    EntryPoint("openstack", "pytest_ixy.providers.openstack.provider:OpenStack", GROUP),
)


def load(name: str) -> Provider:
    """A provider of that name that has provisioned nothing yet.

    Raises:
        UsageError: there is none of that name, or it cannot be loaded.
    """
    known = {entry.name: entry for entry in (*entry_points(group=GROUP), *BUILT_IN)}
    if name not in known:
        raise UsageError(f"there is no provider {name!r}{nearest(name, sorted(known))}")
    try:
        made: Provider = known[name].load()()
    except Exception as error:  # whatever a stranger's module raises
        raise UsageError(f"the provider {name!r} cannot be used: {type(error).__name__}: {error}") from error
    return made
