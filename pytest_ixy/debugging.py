"""A role started under gdbserver, for somebody who connects a debugger to it."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ixy import roles, shell
from pytest_ixy.errors import LabError
from pytest_ixy.roles import Order, Started

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ixy.remote import Access, Host, Process

PORT = 2159
"""On the node; registered for gdb's remote protocol."""
PATIENCE = 24 * 3600.0
"""Seconds that a person may take."""
START, POLL = 60.0, 0.2
SERVED, CONNECTED = "Listening on port ", "Remote debugging from host "
FIRST = r"(?P<before>(?:.*(?:&&|\|\||[;|\n]))?\s*(?:\w+=\S*\s+)*(?:exec\s+|sudo\s+)?)"
LAST = re.compile(FIRST + r"(?P<program>.+)$", re.DOTALL)


def served(command: str) -> str:
    """The command line with its last command under gdbserver."""
    found = LAST.match(command.rstrip())
    before, program = (found["before"], found["program"]) if found else ("", command)
    return f"{before}gdbserver 127.0.0.1:{PORT} {program}"


def start(  # noqa: PLR0913 - most are keywords
    host: Host, order: Order, began: float, *, waiting: bool, scratch: Path, say: Callable[[str], None]
) -> Started:
    """Start the role, tell how to connect, and wait until somebody has and let it run.

    Args:
        host: Its node.
        order: What to start.
        began: When the trial began, on the monotonic clock.
        waiting: Also wait until the role is ready, or says anything where it has no sign for that.
        scratch: Folder of this run.
        say: Told what to type.

    Raises:
        LabError: the node was lost or has no gdbserver.
    """
    under = replace(order, command=served(order.command), ready=None)
    started = roles.start(host, under, began, ready_timeout=0.0, settle=0.0)
    process = started.process
    _await(process, lambda: SERVED in process.output, START)
    if (end := process.poll()) is not None and end.missing:
        raise LabError(f"The node of {order.role} has no gdbserver.", hint="use the image that is built")
    forward = host.forward(PORT)
    say(words(host.access, scratch, order.role, forward.port))
    _await(process, lambda: CONNECTED in process.output, PATIENCE)
    if waiting:
        _await(process, lambda: _speaks(process, order), PATIENCE)
    return replace(started, order=order, ready="under a debugger")


def _await(process: Process, condition: Callable[[], bool], patience: float) -> None:
    """Until it is so, the process has ended, or time is up."""
    end = time.monotonic() + patience
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(POLL)


def _speaks(process: Process, order: Order) -> bool:
    """Whether it runs: it shows that it is ready, or says something where it has no sign for that."""
    said = process.output.partition(CONNECTED)[2].partition("\n")[2]
    if order.ready is None:
        return bool(said.strip())
    return any(order.ready.search(line) for line in said.splitlines())


def words(access: Access, scratch: Path, role: str, port: int) -> str:
    """What to type, here or on the node."""
    gdb = f"sudo gdb -ex 'target remote 127.0.0.1:{PORT}'"
    there = shlex.join([*shell.words(access, scratch), "-t", gdb])
    return (
        f"{role} waits for a debugger, on its first instruction. Type in another terminal:\n\n"
        f"    gdb -ex 'target remote 127.0.0.1:{port}'\n\n"
        f"or, where there is no gdb on this machine (connect once only):\n\n    {there}\n\n"
        "then `break` where you like and `continue`. `detach` lets it run on without you."
    )
