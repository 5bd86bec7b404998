"""One run of a scenario on a testbed: start the roles in order, watch, stop, collect a bundle."""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pytest_ixy import bundle as bundles
from pytest_ixy import manifest, roles
from pytest_ixy.bundle import Bundle, CaptureRecord, CourseRecord, Event
from pytest_ixy.course import USUAL, Act, Course
from pytest_ixy.manifest import Outcome, Setup
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Process, RemoteFileMissing
from pytest_ixy.settings import Settings
from pytest_ixy.stage import Stage
from pytest_ixy.topology import PCAP, PKTGEN

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


def run(  # noqa: PLR0913, PLR0917
    setup: Setup, packets: int, folder: Path, progress: Progress, onlooker: Onlooker, course: Course = USUAL
) -> Bundle:
    """Run one trial and leave its bundle in `folder`.

    Raises:
        LabError: a node was lost, or the capture could not be fetched.
    """
    trial = _Trial(setup, packets, folder, progress, course)
    started = datetime.now(UTC)
    setup.provider.begin_trial(setup.testbed)
    before = setup.provider.counters(setup.testbed)
    trial.play()
    counted = manifest.difference(before, setup.provider.counters(setup.testbed))
    capture = trial.fetch(onlooker)
    outcome = Outcome(started, trial.stage.runs(), capture, counted, trial.course())
    return manifest.leave(setup, packets, outcome, folder, progress)


class _Trial:
    """A trial under way."""

    def __init__(self, setup: Setup, packets: int, folder: Path, progress: Progress, course: Course) -> None:
        self._setup, self._packets, self._folder, self._progress = setup, packets, folder, progress
        self._limits, self._course = setup.settings.timeouts, course
        self.stage = Stage(setup, packets, folder, course)
        self._events: list[Event] = []
        deadline = deadline_for(setup.settings, packets) if course.seconds is None else course.seconds
        self._watched = CaptureRecord(file=None, deadline=deadline)

    def play(self) -> None:
        """Start the roles, wait for the trial's end, stop the roles."""
        try:
            with self._progress.phase("start"):
                self._start()
            with self._progress.phase("capture"):
                self._watch()
        except BaseException:
            with contextlib.suppress(Exception):  # the first cause is the one to tell
                self.stage.stop_all()
            raise
        with self._progress.phase("stop"):
            self.stage.stop_all()

    def _start(self) -> None:
        """Start the roles in the course's order; no more of them when one ends at once."""
        order = self._course.order
        for role in order:
            self._progress.tell(role)
            self._pause(self._course.pauses.get(role, 0.0))
            self.stage.start(role, waiting=role not in {PKTGEN, order[-1]})
            if self.stage.note_ended():
                return

    def _pause(self, seconds: float) -> None:
        """Let time pass, less when a role ends meanwhile."""
        end = self.stage.now() + seconds
        while self.stage.now() < end and not self.stage.note_ended():
            time.sleep(POLL)

    def _watch(self) -> None:
        """Wait until pcap ends, time is up, or another role's end makes waiting useless."""
        sizes = roles.watch_size(self._setup.hosts[PCAP], self.stage.capture)
        acts = deque(self._course.acts)
        try:
            while PCAP not in self.stage.early:
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
        written = max(0, (self._watched.written or 0) - PCAP_HEADER) // RECORD
        if acts and self._watched.seconds >= acts[0].at.seconds and written >= acts[0].at.packets:
            act = acts.popleft()
            self._progress.tell(act.words)
            self._events.append(Event(seconds=round(self.stage.now(), 3), words=act.words))
            act.perform(self.stage)

    def course(self) -> CourseRecord | None:
        """What was unusual, None if nothing."""
        plan = self._course
        if not plan.words:
            return None
        return CourseRecord(
            words=plan.words, seconds=plan.seconds, swapped=plan.swapped, events=tuple(self._events)
        )

    def _look(self, sizes: Process) -> None:
        seconds = round(self.stage.now() - self.stage.sending_since, 3)
        lines = sizes.output.split()
        written = int(lines[-1]) if lines and SIZE.fullmatch(lines[-1]) else None
        timed_out = PCAP not in self.stage.early and self._course.seconds is None
        changed = {"seconds": seconds, "written": written, "timed_out": timed_out}
        self._watched = self._watched.model_copy(update=changed)
        if written is None:
            self._progress.tell(f"no packet yet, at most {self._watched.deadline:.0f} s")
        else:
            self._progress.tell(f"{max(0, (written - PCAP_HEADER) // RECORD):,} of {self._packets:,}")

    def _patience(self) -> float:
        """Seconds after pktgen's start to wait; less when a role that packets need has ended."""
        ended = [self.stage.ended[name] for name in self.stage.early]
        if not ended:
            return self._watched.deadline
        return min(self._watched.deadline, min(ended) + GRACE - self.stage.sending_since)

    def fetch(self, onlooker: Onlooker) -> CaptureRecord:
        """Bring the capture over; a missing one is the target's doing and is recorded as such."""
        host, local = self._setup.hosts[PCAP], self._folder / bundles.CAPTURE
        with self._progress.phase("fetch"):
            try:
                size = host.fetch(
                    self.stage.capture,
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
