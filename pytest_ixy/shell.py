"""The command line of the system's ssh that leads to a node, and to the spot where its role was run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from pytest_ixy.remote import Access
from pytest_ixy.spots import Spot

KNOWN_HOSTS = "known_hosts"


def write_known_hosts(scratch: Path, accesses: Mapping[str, Access]) -> None:
    """Write the nodes' host keys where `words` tells ssh to look for them."""
    known = [access for access in accesses.values() if access.host_key]
    lines = [f"[{access.host}]:{access.port} {access.host_key}\n" for access in known]
    (scratch / KNOWN_HOSTS).write_text("".join(lines), encoding="utf-8")


def words(access: Access, scratch: Path) -> list[str]:
    """The words of a command line that logs in to the node, with no regard to the user's own settings."""
    found = ["ssh"]
    if access.key and access.host_key and not access.jumps:
        found += ["-F", "none"]
    if access.key:
        found += ["-o", _file("IdentityFile", access.key), "-o", "IdentitiesOnly=yes"]
    elif access.keys:
        found += [word for key in access.keys for word in ("-o", _file("IdentityFile", key))]
    if access.jumps:
        found += ["-J", ",".join(f"{jump.user}@{jump.host}:{jump.port}" for jump in access.jumps)]
    if access.host_key:
        known = _file("UserKnownHostsFile", str(scratch / KNOWN_HOSTS))
        found += ["-o", known, "-o", "StrictHostKeyChecking=yes"]
    elif access.known_hosts:
        known = " ".join(_file("", one).removeprefix("=") for one in access.known_hosts)
        found += ["-o", f"UserKnownHostsFile={known}"]
    return [*found, "-p", str(access.port), f"{access.user}@{access.host}"]


def _file(option: str, path: str) -> str:
    """An option whose value is a path: ssh splits it at blanks and expands what stands behind `%`."""
    return f'{option}="{path.replace("%", "%%")}"'


def remote(access: Access, spot: Spot, command: str) -> str:
    """What the node's shell is to do: at the spot, as root, run the command; a shell when it is empty."""
    variables = [f"{name}={value}" for name, value in {**access.environment, **spot.environment}.items()]
    root = ["sudo", "-n"] if access.sudo else []
    inner = ["bash", "-c", command] if command else ["bash"]
    folder = shlex.quote(access.place(spot.folder))
    guard = f"bash -c {shlex.quote(access.guard)} || exit; " if access.guard else ""
    return f"{guard}cd -- {folder}; exec {shlex.join([*root, 'env', *variables, *inner])}"
