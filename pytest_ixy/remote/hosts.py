"""Whether the host that answers is the one that is meant; a key is never learnt by connecting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.errors import LabError

if TYPE_CHECKING:
    import paramiko

    from pytest_ixy.remote.access import Access


class RefusalError(LabError):
    """The other end answered, but with the wrong key or to the wrong one."""


def load_known_hosts(client: paramiko.SSHClient, access: Access) -> None:
    """Let the client know the hosts of the known_hosts files; missing ones are passed over."""
    if not access.known_hosts:
        client.load_system_host_keys()
    for file in access.known_hosts:
        if Path(file).is_file():
            client.load_system_host_keys(file)


def unknown_host(access: Access, hostname: str, key: paramiko.PKey) -> LabError:
    """The error for a host of which no key is known."""
    via = f" through {access.jumps[-1].address}" if access.jumps else ""
    return RefusalError(
        f"node {access.name}: what answers at {access.host}:{access.port}{via} is not known: no known_hosts "
        f"file has a key for {hostname}; it shows {key.get_name()} {key.fingerprint}",
        hint=f"compare that with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there), then:\n"
        f"  {_keyscan(access)}",
    )


def _keyscan(access: Access) -> str:
    """The line that makes the host known."""
    file = access.known_hosts[0] if access.known_hosts else "~/.ssh/known_hosts"
    scan = f"ssh-keyscan -p {access.port} {access.host}"
    if access.jumps:
        chain = ",".join(f"{jump.user}@{jump.host}:{jump.port}" for jump in access.jumps[:-1])
        last = access.jumps[-1]
        scan = f"ssh{f' -J {chain}' if chain else ''} -p {last.port} {last.user}@{last.host} {scan}"
    return f"{scan} >> {file}"


def wrong_peer(access: Access, why: str) -> LabError:
    """The error for a host that shows another key than it should."""
    where = f"{access.host}:{access.port}"
    return RefusalError(
        f"node {access.name}: what answers at {where} is not the expected host: {why}",
        hint="if the node was reinstalled, remove its old host key; otherwise find out who answers there",
    )
