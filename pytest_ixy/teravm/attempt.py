"""One run of the tester's program, from its start to a tester that is ready for the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import LabError
from pytest_ixy.ng40.output import Transcript
from pytest_ixy.ng40.records import End
from pytest_ixy.printable import one_line
from pytest_ixy.remote.exits import read_exit
from pytest_ixy.teravm.controller import Controller
from pytest_ixy.teravm.detached import Detached
from pytest_ixy.teravm.follow import Deadlines, Ended, Follower

_SHOWN = 200
_LONGEST = 1000


@dataclass(frozen=True)
class Went:
    """How it went.

    Attributes:
        end, words, status: As in `ListRecord`.
        clean: Whether the tester is left as it should be; else the mark stays for whoever comes next.
    """

    end: End
    words: str
    status: int | None
    clean: bool = True


@dataclass(frozen=True)
class Job:
    """What the program is run for.

    Attributes:
        name: The list's name.
        words: What the program is given.
        log: Where all that it prints goes.
        transcript: Who understands what it prints.
        deadlines: Its deadlines.
    """

    name: str
    words: Sequence[str]
    log: Path
    transcript: Transcript
    deadlines: Deadlines


class Attempt:
    """One run of the program.

    Args:
        detached: The run.
        job: What it is for.
        beside: Where the output of a forced clean-up goes.
        tell: Told the progress.
    """

    def __init__(self, detached: Detached, job: Job, beside: Path, tell: Callable[[str], None]) -> None:
        self._detached, self._controller = detached, detached.controller
        self._job, self._beside, self._tell = job, beside, tell

    def go(self, run: str) -> Went:
        """Start it, see it through, and clean up where it did not end as it should.

        Raises:
            LabError: it could not be started.
        """
        job = self._job
        self._detached.start(run, job.name, job.words)
        follower = Follower(self._detached, job.log, job.transcript, job.deadlines, self._tell)
        try:
            went = self._followed(follower)
            if went.end not in {"finished", "refused"}:
                went = self._cleaned(went)
            if went.clean:
                self._controller.unmark()
        except LabError as error:
            return self._given_up(error)
        finally:
            follower.close()
        return went

    def _given_up(self, why: LabError) -> Went:
        """What cannot be followed any more is ended, where the controller can be reached for that."""
        went = Went("cut-off", f"it was lost sight of: {why.what}"[:_LONGEST], None, clean=False)
        try:
            self._detached.stop()
            clean(self._controller, self._beside, self._tell)
            self._controller.unmark()
        except LabError:
            return went
        return replace(went, clean=True)

    def _followed(self, follower: Follower) -> Went:
        ended = follower.follow()
        if ended.missed is None:
            follower.close()
            return self._judged(ended, follower.tail)
        self._tell("stopping it")
        try:
            self._detached.stop()
            follower.drain()
        except LabError as error:  # the forced clean-up may still do it
            return Went(ended.missed.end, f"{ended.words}; {error.what}"[:_LONGEST], None)
        return Went(ended.missed.end, ended.words, None)

    def _judged(self, ended: Ended, tail: str) -> Went:
        """How a program that ended by itself did."""
        if self._job.transcript.verdict is not None:
            return Went("finished", "", ended.status)
        words = f"the program {_how(ended.status)} without a verdict on the list{_last_words(tail)}"
        if ended.status and not self._job.transcript.heard and (busy := self._controller.state(self._beside)):
            return Went("refused", f"the tester did not take the list: {busy}"[:_LONGEST], ended.status)
        return Went("cut-off", words[:_LONGEST], ended.status)

    def _cleaned(self, went: Went) -> Went:
        try:
            clean(self._controller, self._beside, self._tell)
        except LabError as error:
            return replace(went, words=f"{went.words}; {error.what}"[:_LONGEST], clean=False)
        return went


def clean(controller: Controller, log: Path, tell: Callable[[str], None]) -> None:
    """Force a clean-up and give the tester the time that it needs then; LabError when that fails."""
    tell("forced clean-up")
    controller.clean(log)
    time.sleep(timespan.parse(controller.table.settle).total_seconds())


def _last_words(tail: str) -> str:
    lines = [one_line(line.strip()) for line in tail.splitlines() if line.strip()]
    return f"; its last words: {lines[-1][:_SHOWN]}" if lines else "; it printed nothing"


def _how(status: int | None) -> str:
    if status is None:
        return "is gone, and left no status: it was killed, or the controller was restarted,"
    signal = read_exit(status).signal
    return f"was ended by {signal}" if signal else f"ended with status {status}"
