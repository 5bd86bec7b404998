"""Files onto a machine, and scripts run there that have to succeed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from pytest_ixy.remote import Host

TIMEOUT = 180.0


def root(host: Host, script: str, **environment: str) -> str:
    """Run a script as root; its output."""
    return host.run(script, timeout=TIMEOUT, root=True, environment=environment, check=True).output


def put(host: Host, folder: Path, remote: str) -> None:
    """Copy what is in a folder into one of the machine, as root's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, ".", filter=_rootly)
    host.upload(packed.getvalue(), "/tmp/standin.tar", root=True)
    root(host, 'mkdir -p "$TO" && tar -x -C "$TO" -f /tmp/standin.tar && rm /tmp/standin.tar', TO=remote)


def _rootly(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o055 if entry.isdir() else 0o044
    return entry
