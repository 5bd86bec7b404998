"""Reference roles: stock tools that play a role where a target has no program for it.

tcpdump is pcap, tc is fwd, tcpreplay is pktgen. They need no build and work on any NIC that the node's
kernel drives. The scripts beside this file are sent to the nodes as they are.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.pack import pack
from pytest_ixy.parallel import all_at_once
from pytest_ixy.reference.packets import capture
from pytest_ixy.testbed import close
from pytest_ixy.topology import PCAP, PKTGEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.dialect import Dialect
    from pytest_ixy.testbed import Hosts
    from pytest_ixy.traffic import Traffic

SCRIPTS = Path(__file__).parent
REMOTE = "./pytest-ixy-reference"
"""Their folder in the home of the user on a node."""
READY = re.compile("^(ready: |.*listening on )")
TIMEOUT = 600.0
SPARE = 2
"""So many times the packets that are asked for can be sent: as many as `sequence-bounds` allows."""


FRAMES = "frames.pcap"
"""What is sent when it is other traffic than a dialect's packets, in `REMOTE` on pktgen's node."""


def command(role: str, traffic: Traffic | None = None) -> str:
    """The command line of a reference role, for bash in `REMOTE`."""
    if traffic and role == PKTGEN:
        return f"bash ./pktgen.sh {FRAMES}"
    if traffic and role == PCAP:
        return f"bash ./pcap-all.sh {traffic.size}"
    return f"bash ./{role}.sh"


def send(hosts: Hosts, roles: Iterable[str], dialect: Dialect, packets: int, scratch: Path) -> None:
    """Send what the reference needs to the nodes of those roles.

    Args:
        hosts: The nodes.
        roles: The roles that the reference plays.
        dialect: What its packets look like.
        packets: How many are to be captured.
        scratch: Folder of this run.

    Raises:
        LabError: a node was lost, or its disk is full.
    """
    jobs = {}
    for role in roles:
        archive = _archive(role, dialect, packets, scratch)
        jobs[role] = lambda role=role, archive=archive: hosts[role].unpack(archive, REMOTE, timeout=TIMEOUT)
    all_at_once(jobs, abort=lambda: close(hosts))


def send_traffic(hosts: Hosts, traffic: Traffic, scratch: Path, kept: Path) -> None:
    """Send the frames that the reference pktgen is to send to its node.

    Args:
        hosts: The nodes.
        traffic: The frames.
        scratch: Folder of this run.
        kept: File here that keeps them.

    Raises:
        LabError: the node was lost, or its disk is full.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(traffic.pcap())
    folder, archive = scratch / "traffic", scratch / "traffic.tar.zst"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, folder / FRAMES)
    pack(folder, archive)
    hosts[PKTGEN].unpack(archive, REMOTE, timeout=TIMEOUT)


def _archive(role: str, dialect: Dialect, packets: int, scratch: Path) -> Path:
    folder = scratch / f"reference-{role}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for script in (SCRIPTS / "nic.sh", *SCRIPTS.glob(f"{role}*.sh")):
        shutil.copy(script, folder)
    if role == PKTGEN:
        (folder / "packets.pcap").write_bytes(capture(dialect, SPARE * packets))
    archive = scratch / f"reference-{role}.tar.zst"
    pack(folder, archive)
    shutil.rmtree(folder)
    return archive
