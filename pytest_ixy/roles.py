"""Start a role, know when it is ready, stop it, and say how it went."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.bundle import Exit, Run
from pytest_ixy.cast import TARGET, Player
from pytest_ixy.remote import Host, Process, Stopped
from pytest_ixy.spec import READY_LINE
from pytest_ixy.topology import Topology

POLL = 0.1
READY_WINDOW = 1 << 16
CORES = "ulimit -c 524288 2>/dev/null\n"
"""Before a role's command: a core dump may have 512 MiB."""
TAIL = 8192


@dataclass(frozen=True)
class Order:
    """What to start where.

    Attributes:
        role: Which.
        name: What it is called in the manifest.
        command: Its command line, for bash.
        environment: Variables for it.
        folder: The target's folder on the node.
        log: File here that its output goes to.
        ready: Matches a line of its output that shows it is ready; None when only time can tell.
        player: Whose program it is.
    """

    role: str
    name: str
    command: str
    environment: dict[str, str]
    folder: str
    log: Path
    ready: re.Pattern[str] | None
    player: Player = TARGET


@dataclass(frozen=True)
class Started:
    """A role that was started; `at` is seconds since the trial's start, `ready` in words."""

    order: Order
    process: Process
    at: float
    ready: str


def environment(topology: Topology, capture: str, packets: int) -> dict[str, str]:
    """The variables that ixy-ci gives to every role."""
    addresses = {nic.variable: nic.pci for node in topology.nodes for nic in node.nics}
    return {**addresses, "PCAP_OUT": capture, "PCAP_N": str(packets)}


def start(host: Host, order: Order, began: float, *, ready_timeout: float, settle: float) -> Started:
    """Start the role as root, as ixy-ci does, and wait until it is ready, settled or over."""
    at = time.monotonic() - began
    process = host.start(
        CORES + order.command, cwd=order.folder, environment=dict(order.environment), root=True, log=order.log
    )
    wait = ready_timeout if order.ready else settle
    ready = _await_ready(process, order, wait)
    return Started(order, process, round(at, 3), ready)


def _await_ready(process: Process, order: Order, wait: float) -> str:
    if not wait:
        return "nothing waited for it"
    began = time.monotonic()
    while (passed := time.monotonic() - began) < wait:
        if process.poll() is not None:
            return "ended before it was ready"
        if order.ready and (line := _first_match(order.ready, order.log)):
            return f"printed {line!r} after {passed:.1f} s"
        time.sleep(POLL)
    if order.ready:
        return f"never printed /{order.ready.pattern}/ in {wait:.0f} s"
    return f"given {wait:.1f} s to settle"


def _first_match(pattern: re.Pattern[str], log: Path) -> str | None:
    """The start of the first line that matches; only so much is read as cannot take long."""
    if not log.exists():
        return None
    with log.open("rb") as stream:
        lines = stream.read(READY_WINDOW).decode("utf-8", "replace").splitlines()
    return next((line[:READY_LINE] for line in lines if pattern.search(line[:READY_LINE])), None)


def record(
    started: Started, early: Exit | None, stopped: Stopped | None, ended: float | None, base: Path
) -> Run:
    """The role's part of the manifest.

    Args:
        started: The role.
        early: How it ended before it was told to stop, if it did.
        stopped: What it took to stop it, if it was told to.
        ended: When, in seconds since the trial's start.
        base: The bundle's folder.
    """
    end = early or started.process.poll() or Exit(status=None)
    return Run(
        command=started.order.command,
        player=started.order.player,
        environment=dict(started.order.environment),
        started=started.at,
        ready=started.ready,
        ended=ended,
        exit=end,
        ended_itself=early is not None,
        stopped_by=stopped.needed if stopped and early is None else None,
        stragglers=stopped.stragglers if stopped else (),
        log=str(started.order.log.relative_to(base)),
        tail=started.process.output[-TAIL:],
    )


def watch_size(host: Host, path: str) -> Process:
    """A loop on the node that prints the file's size five times a second."""
    quoted = shlex.quote(path)
    # without the trap bash goes on if INT comes while a command ends that did not die of it
    return host.start(f"trap exit INT; while sleep 0.2; do stat -c %s {quoted} 2>/dev/null; done")
