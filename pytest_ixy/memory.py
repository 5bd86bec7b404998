"""How much memory roles have while a long trial runs, and how much pcap has written, asked on their nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from pytest_ixy.remote import Host, Process
from pytest_ixy.topology import PCAP

LINE = re.compile(r"rss ([0-9]{1,12}) huge ([0-9]{1,12})")
SIZE = re.compile(r"size ([0-9]{1,15})")
LATEST = 400
"""Characters at the end of the output that have the latest answer."""
KEEP = 8 << 20


class Memory:
    """Watches the roles of one trial, with one small loop on each node.

    Args:
        hosts: The nodes by role.
        sessions: The session that each role's processes are in.
        capture: The capture on pcap's node.
        keeps: Whether what pcap writes is kept; if not, its middle is thrown away again and again.
    """

    def __init__(
        self, hosts: Mapping[str, Host], sessions: Mapping[str, int], capture: str, *, keeps: bool
    ) -> None:
        self._loops: dict[str, Process] = {}
        script = files("pytest_ixy").joinpath("memory.bash").read_text(encoding="utf-8")
        for role, session in sessions.items():
            environment = {"SESSION": str(session), "CAPTURE": "", "KEEP": str(KEEP)}
            if role == PCAP and not keeps:
                environment["CAPTURE"] = capture
            self._loops[role] = hosts[role].start(script, environment=environment, root=True)

    def sample(self) -> dict[str, float | None]:
        """The latest answers: KiB of ordinary memory and of huge pages, and bytes written by pcap."""
        found: dict[str, float | None] = {}
        for role, loop in self._loops.items():
            found |= read(role, loop.output)
        return found

    def stop(self, deadline: float) -> None:
        """End the loops."""
        for loop in self._loops.values():
            loop.stop(deadline)


def read(role: str, output: str) -> dict[str, float | None]:
    """The latest complete answer in a loop's output."""
    last = output.rpartition("\n")[0][-LATEST:]
    found: dict[str, float | None] = {}
    if lines := LINE.findall(last):
        found |= {f"{role}/rss": float(lines[-1][0]), f"{role}/huge": float(lines[-1][1])}
    if sizes := SIZE.findall(last):
        found[f"{role}/written"] = float(sizes[-1])
    return found
