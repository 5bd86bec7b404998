"""The kinds of things that are made in a cloud: how each is made, found again by its name, and removed.

What a run makes has a name that nothing else has, and carries the run's id from its first moment on: as
description where the API has one, as metadata of servers and volumes, in the comment of a public key.
Only what has both is ever removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

LABEL = "pytest-ixy"
LONGEST_TAG = 60
"""Characters of a tag that every neutron takes."""

Attributes = Mapping[str, Any]


def mark(run: str) -> str:
    """What a description says."""
    return f"{LABEL} {run}"


@dataclass(frozen=True)
class Kind:
    """How things of one kind are treated; `sdk` is openstacksdk's connection.

    Attributes:
        make: (sdk, name, run, attributes) -> the thing.
        find: (sdk, name, run) -> all that have that name and are of that run.
        remove: (sdk, thing); it may take its time afterwards.
        look: (sdk, thing) -> the thing as it is now.
        lingers: Whether it is still there for a while after it was removed.
    """

    make: Callable[[Any, str, str, Attributes], Any]
    find: Callable[[Any, str, str], list[Any]]
    remove: Callable[[Any, Any], None]
    look: Callable[[Any, Any], Any]
    lingers: bool = False


def _make_described(word: str, sdk: Any, name: str, run: str, attributes: Attributes) -> Any:
    made = getattr(sdk.network, f"create_{word}")(name=name, description=mark(run), **attributes)
    return _tagged(sdk, made, run)


def _tagged(sdk: Any, made: Any, run: str) -> Any:
    """Tags are for people, and for tools of others: what is removed goes by the description."""
    from openstack.exceptions import HttpException

    with suppress(HttpException):
        sdk.network.set_tags(made, [LABEL, run[-LONGEST_TAG:]])
    return made


def _find_described(words: str, sdk: Any, name: str, run: str) -> list[Any]:
    found = getattr(sdk.network, words)(name=name)
    return [one for one in found if one.name == name and one.description == mark(run)]


def _remove_of_network(word: str, sdk: Any, thing: Any) -> None:
    getattr(sdk.network, f"delete_{word}")(thing.id, ignore_missing=True)


def _look_of_network(word: str, sdk: Any, thing: Any) -> Any:
    return getattr(sdk.network, f"get_{word}")(thing.id)


def _described(word: str) -> Kind:
    return Kind(
        partial(_make_described, word),
        partial(_find_described, f"{word}s"),
        partial(_remove_of_network, word),
        partial(_look_of_network, word),
    )


def _remove_router(sdk: Any, router: Any) -> None:
    """With its interfaces, which are part of it."""
    from openstack.exceptions import NotFoundException

    for port in sdk.network.ports(device_id=router.id):
        if "router_interface" in port.device_owner:
            with suppress(NotFoundException):
                sdk.network.remove_interface_from_router(router.id, port_id=port.id)
    _remove_of_network("router", sdk, router)


def _make_address(sdk: Any, name: str, run: str, attributes: Attributes) -> Any:
    """A floating IP has no name, so its description holds ours."""
    return _tagged(sdk, sdk.network.create_ip(description=f"{mark(run)} {name}", **attributes), run)


def _find_addresses(sdk: Any, name: str, run: str) -> list[Any]:
    words = f"{mark(run)} {name}"
    return [one for one in sdk.network.ips(description=words) if one.description == words]


def _make_key(sdk: Any, name: str, run: str, attributes: Attributes) -> Any:
    public = f"{attributes['public_key']} {LABEL}:{run}"
    return sdk.compute.create_keypair(name=name, public_key=public)


def _find_keys(sdk: Any, name: str, run: str) -> list[Any]:
    found = sdk.compute.find_keypair(name, ignore_missing=True)
    return [found] if found and found.public_key.strip().endswith(f" {LABEL}:{run}") else []


def _make_server(sdk: Any, name: str, run: str, attributes: Attributes) -> Any:
    return sdk.compute.create_server(name=name, metadata={LABEL: run}, config_drive=True, **attributes)


def _make_volume(sdk: Any, name: str, run: str, attributes: Attributes) -> Any:
    return sdk.block_storage.create_volume(name=name, metadata={LABEL: run}, **attributes)


def _of_run(found: Iterable[Any], name: str, run: str) -> list[Any]:
    return [one for one in found if one.name == name and (one.metadata or {}).get(LABEL) == run]


KINDS: dict[str, Kind] = {
    "keypair": Kind(
        _make_key,
        _find_keys,
        lambda sdk, key: sdk.compute.delete_keypair(key.name, ignore_missing=True),
        lambda sdk, key: sdk.compute.get_keypair(key.name),
    ),
    "security-group": _described("security_group"),
    "network": _described("network"),
    "subnet": _described("subnet"),
    "router": Kind(
        partial(_make_described, "router"),
        partial(_find_described, "routers"),
        _remove_router,
        partial(_look_of_network, "router"),
    ),
    "port": _described("port"),
    "volume": Kind(
        _make_volume,
        lambda sdk, name, run: _of_run(sdk.block_storage.volumes(name=name), name, run),
        lambda sdk, volume: sdk.block_storage.delete_volume(volume.id, ignore_missing=True),
        lambda sdk, volume: sdk.block_storage.get_volume(volume.id),
        lingers=True,
    ),
    "floating-ip": Kind(
        _make_address,
        _find_addresses,
        partial(_remove_of_network, "ip"),
        partial(_look_of_network, "ip"),
    ),
    "server": Kind(
        _make_server,
        lambda sdk, name, run: _of_run(sdk.compute.servers(name=f"^{re.escape(name)}$"), name, run),
        lambda sdk, server: sdk.compute.delete_server(server.id, ignore_missing=True),
        lambda sdk, server: sdk.compute.get_server(server.id),
        lingers=True,
    ),
}
"""By the words that stand in the ledger, in an order in which they can be made; removed the other way."""
