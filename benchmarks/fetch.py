"""What bringing a capture over SSH costs, beside scp, and what judging it meanwhile adds.

    python benchmarks/fetch.py [--kinds uniform faulty noise] [--rounds 7] [--share 1.0]

Needs sshd, scp and zstd. The node is an sshd of its own on loopback, so that both ends share this
machine's cores. In every round each way brings the same capture once; the table has medians of wall
seconds, of CPU seconds here and on the node, and of the rounds' ratios to scp by the clock.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import captures

from pytest_ixy.dialect import shipped
from pytest_ixy.remote import Host
from pytest_ixy.rules.kernel.observed import observe
from pytest_ixy.rules.meanwhile import Meanwhile

if TYPE_CHECKING:
    from sshd import Sshd

TESTS = Path(__file__).parents[1] / "tests" / "unit"
KINDS = {"uniform": 10_000_000, "faulty": 10_000_000, "noise": 500_000}
"""Packets of each kind; 760 MB all of them."""
TIMEOUT = 600
JUDGED = "judged alone"
FIELDS = ("wall", "here", "node")


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of CPU here and on the node."""

    wall: float
    here: float
    node: float


@dataclass(frozen=True)
class Bench:
    """One capture on the node, and the ways to get it here."""

    server: Sshd
    host: Host
    there: Path
    here: Path

    def ways(self) -> dict[str, Callable[[], None]]:
        """Each way by name."""
        return {
            "scp": self.scp,
            "scp, connection open": lambda: self.scp("-o", f"ControlPath={self.server.folder}/control"),
            "fetch": self.fetch,
            "fetch, judged meanwhile": self.judge_meanwhile,
            "fetch, then judged": self.judge_then,
            JUDGED: self.judge,
        }

    def ssh(self, *more: str) -> list[str]:
        """Options of ssh and scp."""
        server = self.server
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "Compression=no",
        )
        return [*(word for option in options for word in ("-o", option)),
                "-o", f"Port={server.port}", "-i", str(server.access.key), *more]  # fmt: skip

    def open_connection(self) -> subprocess.Popen[bytes]:
        """A connection for scp to share, as `host` has one."""
        control = self.server.folder / "control"
        command = ["ssh", *self.ssh("-M", "-N", "-S", str(control)), f"{self.server.access.user}@127.0.0.1"]
        process = subprocess.Popen(command)
        while not control.exists():
            time.sleep(0.05)
        return process

    def scp(self, *more: str) -> None:
        """The program."""
        source = f"{self.server.access.user}@127.0.0.1:{self.there}"
        subprocess.run(["scp", "-q", *self.ssh(*more), source, str(self.here)], check=True)

    def fetch(self) -> None:
        """Ours, over the connection that a trial has open anyway."""
        self.host.fetch(str(self.there), self.here, timeout=TIMEOUT, progress=lambda _: None)

    def judge(self) -> None:
        """The pass over the capture once it is here."""
        observe(self.here, shipped())

    def judge_then(self) -> None:
        """As it was before captures were judged meanwhile."""
        self.fetch()
        self.judge()

    def judge_meanwhile(self) -> None:
        """As a trial does it."""
        with Meanwhile(shipped()) as beside:
            tell = {"progress": beside.grew, "begun": beside.begin}
            self.host.fetch(str(self.there), self.here, timeout=TIMEOUT, **tell)
            beside.finish()


def cpu_here() -> float:
    """Seconds that this process and its children that have ended took."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def cpu_of(process: int) -> float:
    """Seconds that a process and all below it took, those that have ended included."""
    try:
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]
        below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has ended; its parent knows
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") + sum(cpu_of(int(child)) for child in below)


def timed(work: Callable[[], None], node: int) -> Cost:
    """What one way costs; `node` is the server's process."""
    began, here, there = time.monotonic(), cpu_here(), cpu_of(node)
    work()
    return Cost(time.monotonic() - began, cpu_here() - here, cpu_of(node) - there)


def measure(bench: Bench, rounds: int) -> dict[str, list[Cost]]:
    """All ways in every round, in random order: what came before matters to the page cache."""
    ways, order = list(bench.ways().items()), random.Random(1)
    costs: dict[str, list[Cost]] = {name: [] for name, _ in ways}
    for _ in range(rounds):
        for name, work in order.sample(ways, len(ways)):
            if name == JUDGED:
                bench.fetch()
            else:
                bench.here.unlink(missing_ok=True)
            costs[name].append(timed(work, bench.server.process.pid))
    return costs


def show(costs: dict[str, list[Cost]]) -> None:
    """The table."""
    for name, found in costs.items():
        pairs = zip(costs["scp"], found, strict=True)
        ratio = statistics.median(scp.wall / one.wall for scp, one in pairs)
        wall, here, node = (statistics.median(getattr(one, field) for one in found) for field in FIELDS)
        print(f"  {name:24}{wall:8.3f} s, CPU{here:7.3f} s here,{node:7.3f} s on the node{ratio:8.2f} x scp")


def run(server: Sshd, folder: Path, kind: str, packets: int, rounds: int) -> None:
    """Make one capture, measure, print its part of the table."""
    captures.write(folder / "there", kind, packets)
    with server.connect() as host:
        bench = Bench(server, host, folder / "there", folder / "here")
        connection = bench.open_connection()
        print(f"\n{kind}, {packets:,} packets, {bench.there.stat().st_size / 1e6:,.0f} MB")
        show(measure(bench, rounds))
        connection.terminate()
        connection.wait()


def main() -> None:
    """Start the server, make captures, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--share", type=float, default=1.0, help="of 760 MB")
    wanted = parser.parse_args()
    sys.path.append(str(TESTS))
    from sshd import Sshd

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sshd").mkdir()
        server = Sshd(folder / "sshd", "Subsystem sftp internal-sftp")
        try:
            for kind in wanted.kinds:
                run(server, folder, kind, int(KINDS[kind] * wanted.share), wanted.rounds)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
