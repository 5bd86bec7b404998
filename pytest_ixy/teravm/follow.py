"""Follow a list that runs detached: all that it prints, live, and its deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ListTable
from pytest_ixy.ng40.output import Transcript
from pytest_ixy.ng40.plan import Plan
from pytest_ixy.ng40.records import End
from pytest_ixy.remote.output import Output
from pytest_ixy.teravm.detached import PIECE, Detached, Glance, Place

LOOK = 2.0
"""Seconds that a look may wait for something new: so old the progress may be that is shown."""
LAST_LOOKS = 100
"""Looks at what was printed before a list was stopped; more was never read."""


@dataclass(frozen=True)
class Deadline:
    """How long something may take: its seconds, as they were written, and how a list ends when it is over."""

    seconds: float
    written: str
    end: End

    @classmethod
    def of(cls, written: str, end: End) -> Deadline:
        """The deadline that a table gives."""
        return cls(timespan.parse(written).total_seconds(), written, end)


@dataclass(frozen=True)
class Deadlines:
    """Those of a list, of one case, and of silence."""

    whole: Deadline
    case: Deadline
    silence: Deadline

    @classmethod
    def of(cls, asked: ListTable) -> Deadlines:
        """Those of a list."""
        return cls(
            Deadline.of(asked.timeout, "list-timeout"),
            Deadline.of(asked.case_timeout, "case-timeout"),
            Deadline.of(asked.silence, "silence"),
        )

    def shortest(self) -> float:
        """Seconds of the one that is over first."""
        return min(self.whole.seconds, self.case.seconds, self.silence.seconds)


@dataclass(frozen=True)
class Ended:
    """How following ended.

    Attributes:
        missed: Which deadline was missed; None when the program ended by itself.
        words: The same in a line.
        status: The program's exit status, if it left one.
    """

    missed: Deadline | None
    words: str
    status: int | None


class Follower:
    """Follows one list.

    Args:
        detached: The list.
        log: Where all that it prints goes, on this machine.
        transcript: Who understands it.
        deadlines: Its deadlines.
        tell: Told the progress.

    Raises:
        LabError: the log cannot be written.
    """

    def __init__(
        self,
        detached: Detached,
        log: Path,
        transcript: Transcript,
        deadlines: Deadlines,
        tell: Callable[[str], None],
    ) -> None:
        self._detached, self._transcript, self._deadlines, self._tell = detached, transcript, deadlines, tell
        self._output = _open(log)
        self._plan, self._place = Plan(), Place()
        self._offset = 0
        self._began = self._heard = time.monotonic()

    @property
    def tail(self) -> str:
        """The end of what it printed."""
        return self._output.tail

    def follow(self) -> Ended:
        """Until the program has ended or a deadline is over, which stops nothing.

        Raises:
            LabError: the controller cannot be asked any more, or the disk here is full.
        """
        wait, ended = min(LOOK, self._deadlines.shortest() / 4), None
        while True:
            glance = self._look(wait)
            if glance.over:
                ended = ended or time.monotonic()
            if ended and (not glance.out or time.monotonic() - ended > self._deadlines.whole.seconds):
                return Ended(None, "", glance.status)
            if not glance.over and (missed := self._missed(behind=len(glance.out) == PIECE)):
                return missed
            self._show()

    def drain(self) -> None:
        """What was printed before a stop; LabError as for `follow`."""
        for _ in range(LAST_LOOKS):
            if not self._look(0.0).out:
                return

    def close(self) -> None:
        """Nothing more will come."""
        self._output.close()
        self._plan.finish()
        self._transcript.plan(self._plan.names)
        self._transcript.finish()

    def _look(self, wait: float) -> Glance:
        glance = self._detached.look(self._offset, self._place, wait)
        if glance.inode != self._place.inode:
            self._plan, self._place = Plan(), Place(glance.inode)
        self._plan.feed(glance.plan)
        self._place = Place(glance.inode, self._place.offset + len(glance.plan))
        self._transcript.plan(self._plan.names)
        self._take(glance.out)
        return glance

    def _take(self, data: bytes) -> None:
        if data:
            self._heard = time.monotonic()
            self._offset += len(data)
            self._transcript.feed(data)
            self._output.feed(data)
        if error := self._output.error:
            raise LabError(
                f"cannot write {self._output.log}: {error.strerror}",
                hint="free some space where the artifacts go",
            )

    def _missed(self, *, behind: bool) -> Ended | None:
        """The deadline that is over, if one is; only the list's own while there is more to read."""
        now, of = time.monotonic(), self._deadlines
        if now - self._began > of.whole.seconds:
            return Ended(of.whole, f"the list ran for longer than {of.whole.written}: it was stopped", None)
        if behind:
            return None
        if now - self._heard > of.silence.seconds:
            return Ended(of.silence, f"nothing was printed for {of.silence.written}: it was stopped", None)
        if now - max(self._began, self._transcript.moved) > of.case.seconds:
            which = self._transcript.progress().current or "one case"
            return Ended(of.case, f"{which} ran for longer than {of.case.written}: it was stopped", None)
        return None

    def _show(self) -> None:
        silent = time.monotonic() - self._heard
        self._tell(f"{self._transcript.progress()}, {silent:.0f} s since last output")


def _open(log: Path) -> Output:
    try:
        return Output(log)
    except OSError as error:
        raise LabError(f"cannot write {log}: {error.strerror}") from error
