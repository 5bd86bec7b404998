"""The roles of one trial while it is under way: started, noticed when they end, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_ixy import debugging, paths, reference, roles, spots
from pytest_ixy.build import folder_name
from pytest_ixy.bundle import Exit, Run
from pytest_ixy.cast import REFERENCE
from pytest_ixy.course import Course, Extra
from pytest_ixy.manifest import Setup
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import mute
from pytest_ixy.remote import Stopped
from pytest_ixy.roles import Order, Started
from pytest_ixy.spots import Spot
from pytest_ixy.testbed import close
from pytest_ixy.topology import FWD, PCAP, PKTGEN


class Stage:
    """Who plays, and how it goes for them. Times are seconds since the trial began.

    A role that is started once more is recorded under a name of its own, such as `fwd-2`.

    Attributes:
        captures_begin: How the names of files on nodes begin that roles capture to.
        began: When the trial began, by `time.monotonic`.
        sending_since: When pktgen was started, 0 before.
        ended: When each role ended, by name.
        early: How those ended that ended by themselves, by name.
    """

    def __init__(
        self, setup: Setup, packets: int, folder: Path, course: Course, say: Callable[[str], None] = mute
    ) -> None:
        self._say = say
        self._setup, self._packets, self._folder, self._course = setup, packets, folder, course
        self._limits = setup.settings.timeouts
        # on the nodes, where a name of its own is all the safety that is needed
        self.captures_begin = f"/tmp/ixy-{setup.testbed.run}-{time.monotonic_ns()}"  # noqa: S108
        self.capture = self.capture_of(PCAP)
        self.began = time.monotonic()
        self._played: list[Started] = []
        self._nodes: dict[str, str] = {}
        self._stopped: dict[str, Stopped] = {}
        self.sending_since = 0.0
        self.ended: dict[str, float] = {}
        self.early: dict[str, Exit] = {}
        (folder / "roles").mkdir(parents=True, exist_ok=True)

    def now(self) -> float:
        """Seconds since the trial began."""
        return time.monotonic() - self.began

    @property
    def where(self) -> Mapping[str, str]:
        """The node of each role and extra that was started, by name."""
        return self._nodes

    def capture_of(self, name: str) -> str:
        """The file on its node that a role or extra of that name captures to."""
        return f"{self.captures_begin}-{name}.pcap"

    def start(self, role: str, *, waiting: bool) -> None:
        """Start a role or an extra; LabError when its node was lost."""
        if role == PKTGEN:
            if not self._course.extras:  # where its machine captures too, it must not stand still
                self._setup.provider.begin_traffic(self._setup.testbed)
            self.sending_since = self.now()
        ready, settle = (self._limits.ready, self._limits.settle) if waiting else (0.0, 0.0)
        extra = self._course.beside(role)
        node = extra.node if extra else role
        order = self._extra(extra) if extra else self._order(role)
        if any(self._nodes[one.order.name] == node for one in self._running()):
            order.environment["NIC_SHARED"] = "1"
        self._nodes[order.name] = node
        host = self._setup.hosts[node]
        if not extra:
            spots.note(self._setup.testbed.run, role, Spot(order.folder, order.command, order.environment))
        if role == self._setup.settings.gdb and order.player != REFERENCE:
            scratch = paths.scratch_folder(self._setup.testbed.run)
            started = debugging.start(
                host, order, self.began, waiting=waiting, scratch=scratch, say=self._say
            )
        else:
            started = roles.start(host, order, self.began, ready_timeout=ready, settle=settle)
        self._played.append(started)

    def _order(self, role: str) -> Order:
        """What to start: a repository's program, or the reference in its place."""
        times, program = sum(one.order.role == role for one in self._played), self._setup.program(role)
        name = f"{role}-{times + 1}" if times else role
        return Order(
            role=role,
            name=name,
            command=(program.spec.command(role) or "")
            if program
            else reference.command(role, self._course.traffic),
            environment=self._environment(role),
            folder=folder_name(program) if program else reference.REMOTE,
            log=self._folder / "roles" / f"{name}.log",
            ready=program.spec.ready.pattern(role) if program else reference.READY,
            player=self._setup.player(role),
        )

    def _extra(self, extra: Extra) -> Order:
        """The reference, on the other role's NIC."""
        environment = self._environment(extra.role)
        nic = self._setup.testbed.topology.node(extra.node).nics[0]
        environment[f"PCI_ADDR_{extra.role.upper()}"] = nic.pci
        environment["PCAP_OUT"] = self.capture_of(extra.name)
        return Order(
            role=extra.name,
            name=extra.name,
            command=reference.command(extra.role),
            environment=environment,
            folder=reference.REMOTE,
            log=self._folder / "roles" / f"{extra.name}.log",
            ready=reference.READY,
            player=REFERENCE,
        )

    def _environment(self, role: str) -> dict[str, str]:
        found = roles.environment(self._setup.testbed.topology, self.capture, self._packets)
        if self._course.rate:
            found["PKTGEN_RATE"] = str(self._course.rate)
        if self._course.swapped and role == FWD:
            one, other = "PCI_ADDR_FWD_SRC", "PCI_ADDR_FWD_DST"
            found[one], found[other] = found[other], found[one]
        return found

    def stop(self, role: str) -> None:
        """Stop a role that runs; LabError when its node was lost."""
        for one in self._still(role):
            self._stopped[one.order.name] = self._stop(one)

    def kill(self, role: str) -> None:
        """End a role that runs by SIGKILL; LabError when its node was lost."""
        for one in self._still(role):
            self._stopped[one.order.name] = one.process.kill(self._limits.stop)
            self.ended[one.order.name] = round(self.now(), 3)

    def link(self, role: str, *, up: bool) -> None:
        """Let all links of a role's node come up or go down."""
        testbed = self._setup.testbed
        for number in range(len(testbed.topology.node(role).nics)):
            self._setup.provider.link(testbed, role, number, up=up)

    def wait(self, seconds: float) -> None:
        """Let time pass, less when a role ends meanwhile."""
        self.note_ended()
        end, known = self.now() + seconds, len(self.early)
        while self.now() < end and len(self.early) == known:
            time.sleep(roles.POLL)
            self.note_ended()

    @property
    def captures(self) -> tuple[str, ...]:
        """The names of all that capture: pcap, and extras that play it."""
        return (PCAP, *(one.name for one in self._course.extras if one.role == PCAP))

    @property
    def captured(self) -> bool:
        """True when all that capture have ended."""
        return self.early.keys() >= set(self.captures)

    def delivered(self) -> int | None:
        """Frames that came to pcap's node since it was made; None where nobody counts."""
        counted = self._setup.provider.counters(self._setup.testbed).get(PCAP, ())
        return sum(nic.received or 0 for nic in counted) if counted else None

    def stop_all(self, settle: Callable[[], None] = lambda: None) -> None:
        """Stop whatever still runs, all at once; note what had ended before it was told to.

        Args:
            settle: Waits until nothing that pktgen sent is under way. The others are stopped only then.
        """
        self._setup.provider.end_traffic(self._setup.testbed)
        self.note_ended()
        jobs = {
            one.order.name: lambda one=one: self._stop_after(settle, one)
            for one in self._played
            if one.order.name not in self._stopped
        }
        self._stopped |= all_at_once(jobs, abort=lambda: close(self._setup.hosts))

    def _stop_after(self, settle: Callable[[], None], one: Started) -> Stopped:
        if one.order.role != PKTGEN:
            settle()
        return self._stop(one)

    def _stop(self, one: Started) -> Stopped:
        stopped = one.process.stop(self._limits.stop)
        self.ended.setdefault(one.order.name, round(self.now(), 3))
        return stopped

    def _running(self) -> list[Started]:
        gone = self._stopped.keys() | self.early.keys()
        return [one for one in self._played if one.order.name not in gone]

    def _still(self, role: str) -> list[Started]:
        """What runs of that role at this moment."""
        self.note_ended()
        return [one for one in self._running() if one.order.role == role]

    def note_ended(self) -> bool:
        """Note which roles have ended by themselves; True when any has."""
        for one in self._running():
            if (end := one.process.poll()) is not None:
                self.early[one.order.name] = end
                self.ended[one.order.name] = round(self.now(), 3)
        return bool(self.early)

    @property
    def sessions(self) -> dict[str, int]:
        """The session on its node of each role that runs."""
        return {one.order.role: one.process.session for one in self._running()}

    def runs(self) -> dict[str, Run]:
        """How each role that was started went, by name."""
        return {
            name: roles.record(
                one, self.early.get(name), self._stopped.get(name), self.ended.get(name), self._folder
            )
            for one in self._played
            for name in [one.order.name]
        }
