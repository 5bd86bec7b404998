"""One run of a scenario on a testbed: start the roles in order, watch, stop, collect a bundle."""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy import bundle as bundles
from pytest_ixy import manifest, roles
from pytest_ixy.aftermath import Aftermath
from pytest_ixy.bundle import Bundle, CaptureRecord, CourseRecord, Event
from pytest_ixy.course import USUAL, Act, Course
from pytest_ixy.debugging import PATIENCE
from pytest_ixy.errors import LabError
from pytest_ixy.manifest import Outcome, Setup
from pytest_ixy.memory import Memory
from pytest_ixy.meters import Meters
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Process
from pytest_ixy.retrieval import Onlooker, Retrieval
from pytest_ixy.settings import Settings
from pytest_ixy.stage import Stage
from pytest_ixy.topology import PCAP, PKTGEN

POLL = 0.1
GRACE = 3.0
"""Seconds that pcap still gets after another role has ended by itself."""
PACKETS_PER_SECOND = 5000
"""Rate below which no lab should be; more packets get more time."""
SIZE = re.compile(r"[0-9]{1,15}")
PCAP_HEADER, RECORD = 24, 76
"""Bytes in a classic capture's header, and per 60-byte packet; only to show progress."""


def deadline_for(settings: Settings, packets: int) -> float:
    """Seconds after pktgen's start by which pcap must have ended."""
    if settings.gdb:
        return PATIENCE
    return settings.timeouts.capture + packets / PACKETS_PER_SECOND


def run(  # noqa: PLR0913, PLR0917
    setup: Setup, packets: int, folder: Path, progress: Progress, onlooker: Onlooker, course: Course = USUAL
) -> Bundle:
    """Run one trial and leave its bundle in `folder`.

    Raises:
        LabError: a node was lost, or the capture could not be fetched.
    """
    nodes = Aftermath(setup.testbed, setup.hosts, folder)
    with progress.phase("look"):
        nodes.begin()
    started, trial = datetime.now(UTC), _Trial(setup, packets, folder, progress, course)
    setup.provider.begin_trial(setup.testbed)
    before = setup.provider.counters(setup.testbed)
    try:
        with Meters(setup, before, trial.stage.began) as meters:
            trial.play(meters)
        counted = manifest.difference(before, setup.provider.counters(setup.testbed))
        capture = trial.fetch(onlooker)
        with progress.phase("look"):
            told = nodes.end(trial.stage.runs(), trial.stage.where, trial.stage.captures_begin)
    except LabError as error:
        raise nodes.explained(error) from error
    series = meters.leave(folder)
    outcome = Outcome(started, told.runs, capture, counted, trial.course(), series, told.nodes)
    return manifest.leave(setup, packets, outcome, folder, progress)


class _Trial:
    """A trial under way."""

    def __init__(self, setup: Setup, packets: int, folder: Path, progress: Progress, course: Course) -> None:
        self._setup, self._packets, self._folder, self._progress = setup, packets, folder, progress
        self._limits, self._course = setup.settings.timeouts, course
        self.stage = Stage(setup, packets, folder, course, progress.say)
        self._events: list[Event] = []
        self._at_first: int | None = None
        self._back: CaptureRecord | None = None
        deadline = deadline_for(setup.settings, packets) if course.seconds is None else course.seconds
        self._watched = CaptureRecord(file=None, deadline=deadline)

    def play(self, meters: Meters) -> None:
        """Start the roles, wait for the trial's end, stop the roles."""
        self._at_first = self.stage.delivered()
        try:
            with self._progress.phase("start"):
                self._start()
            if self._course.seconds is not None and not self._course.extras:
                hosts, stage, keeps = self._setup.hosts, self.stage, self._course.keeps
                meters.watch_memory(Memory(hosts, stage.sessions, stage.capture, keeps=keeps))
            with self._progress.phase("capture"):
                self._watch()
            meters.waited()
        except BaseException:
            with contextlib.suppress(Exception):  # the first cause is the one to tell
                self.stage.stop_all()
            raise
        with self._progress.phase("stop"):
            self.stage.stop_all(meters.settle)

    def _start(self) -> None:
        """Start the roles in the course's order; no more of them when one ends at once."""
        order = self._course.order
        for role in order:
            self._progress.tell(role)
            self.stage.wait(self._course.pauses.get(role, 0.0))
            self.stage.start(role, waiting=role not in {PKTGEN, order[-1]})
            if self.stage.note_ended():
                return

    def _watch(self) -> None:
        """Wait until pcap ends, time is up, or another role's end makes waiting useless."""
        sizes = roles.watch_size(self._setup.hosts[PCAP], self.stage.capture)
        acts = deque(self._course.acts)
        try:
            while not self.stage.captured:
                self.stage.note_ended()
                self._look(sizes)
                if self._watched.seconds > self._patience():
                    break
                self._perform(acts)
                time.sleep(POLL)
        finally:
            sizes.stop(self._limits.stop)

    def _perform(self, acts: deque[Act]) -> None:
        """Do the next thing that is to be done, if it is time for it."""
        if not acts or self._watched.seconds < acts[0].at.seconds:
            return
        delivered = self._delivered()
        if self._come(delivered) >= acts[0].at.packets:
            act, began = acts.popleft(), self.stage.now()
            self._progress.tell(act.words)
            act.perform(self.stage)
            until, after = self.stage.now(), self._delivered()
            times = {"seconds": round(began, 3), "until": round(until, 3)}
            self._events.append(Event(words=act.words, before=delivered, after=after, **times))
            more = {"deadline": self._watched.deadline + until - began}
            self._watched = self._watched.model_copy(update=more)

    def _come(self, delivered: int | None) -> int:
        """About how many packets pcap has; it may write them in blocks, so a counter is better."""
        return self._written() if delivered is None else delivered

    def _written(self) -> int:
        """About how many packets pcap has written, if they are small."""
        return max(0, (self._watched.written or 0) - PCAP_HEADER) // RECORD

    def _delivered(self) -> int | None:
        """Frames that came to pcap's node during the trial; None where nobody counts."""
        found = self.stage.delivered()
        return None if found is None or self._at_first is None else found - self._at_first

    def course(self) -> CourseRecord | None:
        """What was unusual, None if nothing."""
        plan = self._course
        if not plan.words and not plan.name:
            return None
        return CourseRecord(
            words=plan.words,
            name=plan.name,
            seconds=plan.seconds,
            swapped=plan.swapped,
            traffic=plan.traffic.name if plan.traffic else "",
            sent=bundles.SENT if plan.traffic else None,
            events=tuple(self._events),
            back=self._back,
        )

    def _look(self, sizes: Process) -> None:
        seconds = round(self.stage.now() - self.stage.sending_since, 3)
        lines = sizes.output.split()
        written = int(lines[-1]) if lines and SIZE.fullmatch(lines[-1]) else None
        timed_out = not self.stage.captured and self._course.seconds is None
        changed = {"seconds": seconds, "written": written, "timed_out": timed_out}
        self._watched = self._watched.model_copy(update=changed)
        if self._course.seconds is not None:
            self._progress.tell(f"{seconds:.0f} of {self._course.seconds:.0f} s")
        elif written is None:
            self._progress.tell(f"no packet yet, at most {self._watched.deadline:.0f} s")
        else:
            self._progress.tell(f"{self._written():,} of {self._packets:,}")

    def _patience(self) -> float:
        """Seconds after pktgen's start to wait; less when a role that packets need has ended."""
        ended = [self.stage.ended[name] for name in self.stage.early if name not in self.stage.captures]
        if not ended:
            return self._watched.deadline
        return min(self._watched.deadline, min(ended) + GRACE - self.stage.sending_since)

    def fetch(self, onlooker: Onlooker) -> CaptureRecord:
        """Bring the capture over; a missing one is the target's doing and is recorded as such."""
        if not self._course.keeps:
            return self._watched
        retrieval = Retrieval(self._folder, self._packets, self._limits.fetch)
        with self._progress.phase("fetch"):
            self._fetch_back(retrieval)
            host = self._setup.hosts[PCAP]
            come = retrieval.fetch_watched(
                host, self.stage.capture, bundles.CAPTURE, onlooker, self._progress
            )
        return self._watched.model_copy(update=come)

    def _fetch_back(self, retrieval: Retrieval) -> None:
        """Bring the capture of the way back over, if there is one."""
        for extra in self._course.extras:
            if extra.role == PCAP:
                host, remote = self._setup.hosts[extra.node], self.stage.capture_of(extra.name)
                late = {"timed_out": extra.name not in self.stage.early, "written": None}
                come = retrieval.fetch(host, remote, bundles.BACK)
                self._back = self._watched.model_copy(update={**late, **come})
