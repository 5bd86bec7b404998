"""One run of a scenario on a testbed: start the roles in order, watch, stop, collect a bundle."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pytest_ixy import bundle as bundles
from pytest_ixy import manifest, reference, roles
from pytest_ixy.build import folder_name
from pytest_ixy.bundle import Bundle, CaptureRecord, Exit, Run
from pytest_ixy.cast import TARGET
from pytest_ixy.manifest import Outcome, Setup
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Process, RemoteFileMissing, Stopped
from pytest_ixy.roles import Order, Started
from pytest_ixy.settings import Settings
from pytest_ixy.testbed import close
from pytest_ixy.topology import PCAP, Node

POLL = 0.1
GRACE = 3.0
"""Seconds that pcap still gets after another role has ended by itself."""
PACKETS_PER_SECOND = 5000
"""Rate below which no lab should be; more packets get more time."""
LEAST_LIMIT, LARGEST_RECORD = 1 << 28, 2048
"""A capture with more bytes than this, and than this for each packet, is not fetched: it is no
capture of N packets, and a broken pcap must not fill this machine's disk."""
SIZE = re.compile(r"[0-9]{1,15}")
PCAP_HEADER, RECORD = 24, 76
"""Bytes in a classic capture's header, and per 60-byte packet; only to show progress."""


def deadline_for(settings: Settings, packets: int) -> float:
    """Seconds after pktgen's start by which pcap must have ended."""
    return settings.timeouts.capture + packets / PACKETS_PER_SECOND


class Onlooker(Protocol):
    """Somebody who looks at the capture while it comes."""

    def begin(self, path: Path, size: int) -> None:
        """It is that file, which will grow to that size."""
        ...

    def grew(self, written: int) -> int:
        """So many bytes of it can be read; the answer is how many have been looked at."""
        ...

    def finish(self) -> None:
        """It has come whole; return when all of it has been looked at."""
        ...


def run(setup: Setup, packets: int, folder: Path, progress: Progress, onlooker: Onlooker) -> Bundle:
    """Run one trial and leave its bundle in `folder`.

    Raises:
        LabError: a node was lost, or the capture could not be fetched.
    """
    trial = _Trial(setup, packets, folder, progress)
    started = datetime.now(UTC)
    setup.provider.begin_trial(setup.testbed)
    before = setup.provider.counters(setup.testbed)
    stopped = trial.play()
    counted = manifest.difference(before, setup.provider.counters(setup.testbed))
    capture = trial.fetch(onlooker)
    outcome = Outcome(started, trial.runs(stopped), capture, counted)
    return manifest.leave(setup, packets, outcome, folder, progress)


class _Trial:
    """A trial under way. Times are seconds since it began."""

    def __init__(self, setup: Setup, packets: int, folder: Path, progress: Progress) -> None:
        self._setup, self._packets, self._folder, self._progress = setup, packets, folder, progress
        self._limits = setup.settings.timeouts
        # on the node, where a name of its own is all the safety that is needed
        self._capture = f"/tmp/ixy-{setup.testbed.run}-{time.monotonic_ns()}.pcap"  # noqa: S108
        self._began = time.monotonic()
        self._sending_since = 0.0
        self._running: list[Started] = []
        self._early: dict[str, Exit] = {}
        self._ended: dict[str, float] = {}
        self._watched = CaptureRecord(file=None, deadline=deadline_for(setup.settings, packets))

    def _now(self) -> float:
        return time.monotonic() - self._began

    def play(self) -> dict[str, Stopped]:
        """Start the roles, wait for pcap, stop the roles; the answer says what stopping took."""
        try:
            with self._progress.phase("start"):
                self._start()
            with self._progress.phase("capture"):
                self._watch()
        except BaseException:
            with contextlib.suppress(Exception):  # the first cause is the one to tell
                self._stop()
            raise
        with self._progress.phase("stop"):
            return self._stop()

    def _start(self) -> None:
        """Start the roles in the topology's order; no more of them when one ends at once."""
        (self._folder / "roles").mkdir(parents=True, exist_ok=True)
        nodes = self._setup.testbed.topology.nodes
        for node in nodes:
            self._progress.tell(node.name)
            last = node is nodes[-1]
            if last:
                self._setup.provider.begin_traffic(self._setup.testbed)
                self._sending_since = self._now()
            self._running.append(self._start_role(node, waiting=not last))
            if self._note_ended():
                return

    def _start_role(self, node: Node, *, waiting: bool) -> Started:
        """Start one role; nothing waits for the last one."""
        ready, settle = (self._limits.ready, self._limits.settle) if waiting else (0.0, 0.0)
        host = self._setup.hosts[node.name]
        return roles.start(host, self._order(node), self._began, ready_timeout=ready, settle=settle)

    def _order(self, node: Node) -> Order:
        """What to start there: the target's program, or the reference in its place."""
        target, topology, role = self._setup.target, self._setup.testbed.topology, node.name
        own = self._setup.cast[role] == TARGET
        return Order(
            role=role,
            command=(target.spec.command(role) or "") if own else reference.command(role),
            environment=roles.environment(topology, self._capture, self._packets),
            folder=folder_name(target) if own else reference.REMOTE,
            log=self._folder / "roles" / f"{role}.log",
            ready=target.spec.ready.pattern(role) if own else reference.READY,
            player=self._setup.cast[role],
        )

    def _note_ended(self) -> bool:
        """Note which roles have ended by themselves; True when any has."""
        for one in self._running:
            role = one.order.role
            if role not in self._early and (end := one.process.poll()) is not None:
                self._early[role] = end
                self._ended[role] = round(self._now(), 3)
        return bool(self._early)

    def _watch(self) -> None:
        """Wait until pcap ends, its deadline passes, or another role's end makes waiting useless."""
        sizes = roles.watch_size(self._setup.hosts[PCAP], self._capture)
        try:
            while PCAP not in self._early:
                self._note_ended()
                self._look(sizes)
                if self._watched.seconds > self._patience():
                    break
                time.sleep(POLL)
        finally:
            sizes.stop(self._limits.stop)

    def _look(self, sizes: Process) -> None:
        seconds = round(self._now() - self._sending_since, 3)
        lines = sizes.output.split()
        written = int(lines[-1]) if lines and SIZE.fullmatch(lines[-1]) else None
        timed_out = PCAP not in self._early
        changed = {"seconds": seconds, "written": written, "timed_out": timed_out}
        self._watched = self._watched.model_copy(update=changed)
        if written is None:
            self._progress.tell(f"no packet yet, at most {self._watched.deadline:.0f} s")
        else:
            self._progress.tell(f"{max(0, (written - PCAP_HEADER) // RECORD):,} of {self._packets:,}")

    def _patience(self) -> float:
        """Seconds after pktgen's start to wait; less when a role that packets need has ended."""
        if not self._ended:
            return self._watched.deadline
        return min(self._watched.deadline, min(self._ended.values()) + GRACE - self._sending_since)

    def _stop(self) -> dict[str, Stopped]:
        """Stop what still runs, all at once; note what had ended before it was told to."""
        self._setup.provider.end_traffic(self._setup.testbed)
        self._note_ended()
        jobs = {one.order.role: lambda one=one: self._stop_role(one) for one in self._running}
        return all_at_once(jobs, abort=lambda: close(self._setup.hosts))

    def _stop_role(self, one: Started) -> Stopped:
        stopped = one.process.stop(self._limits.stop)
        self._ended.setdefault(one.order.role, round(self._now(), 3))
        return stopped

    def fetch(self, onlooker: Onlooker) -> CaptureRecord:
        """Bring the capture over; a missing one is the target's doing and is recorded as such."""
        host, local = self._setup.hosts[PCAP], self._folder / bundles.CAPTURE
        with self._progress.phase("fetch"):
            try:
                size = host.fetch(
                    self._capture,
                    local,
                    timeout=self._limits.fetch,
                    limit=max(LEAST_LIMIT, self._packets * LARGEST_RECORD),
                    progress=lambda come: self._tell_come(come, onlooker.grew(come)),
                    begun=onlooker.begin,
                )
            except RemoteFileMissing:
                return self._watched
            onlooker.finish()
        return self._watched.model_copy(update={"file": bundles.CAPTURE, "bytes": size})

    def _tell_come(self, come: int, seen: int) -> None:
        self._progress.tell(f"{come / 1e6:.1f} MB, {seen / 1e6:.1f} MB of it judged")

    def runs(self, stopped: dict[str, Stopped]) -> dict[str, Run]:
        """How each role that was started went."""
        return {
            role: roles.record(
                one, self._early.get(role), stopped.get(role), self._ended.get(role), self._folder
            )
            for one in self._running
            for role in [one.order.role]
        }
