"""What the tester prints while a list runs, understood as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pytest_ixy.ng40 import shapes
from pytest_ixy.ng40.known import MOST_LOSSES, MOST_VERDICTS, Case, Cases, Flaws, counting
from pytest_ixy.ng40.lines import Line, Lines
from pytest_ixy.ng40.records import CaseRecord, Loss

AT_ONCE = 0.1
"""Seconds: what is read so soon after something came with it."""


@dataclass(frozen=True)
class Progress:
    """Where a list is.

    Attributes:
        judged: Cases that have a verdict.
        total: Cases that are known of, by a plan, by expectation or by their verdict.
        current: The case that runs; empty where nothing tells.
    """

    judged: int
    total: int
    current: str

    def __str__(self) -> str:
        which = f", {self.current}" if self.current else ""
        return f"{self.judged:,} of {self.total:,} {'case' if self.total == 1 else 'cases'}{which}"


@dataclass
class _Span:
    """The lines about one case: its name may come first, or only with its verdict.

    Attributes:
        line: Where it began; 0 before its first line.
        began: When the case was seen to run, by our clock.
        case: Whom it is about, as far as is known.
        judged: Whether its verdict came.
        early: Losses that came before anything named the case.
        before: Whether losses came before the verdict: then none come behind it.
        watched: The last watch time.
        ran: Whether anything was printed by a case that runs.
        listing: Whether cases are being listed, none of which runs yet.
    """

    line: int = 0
    began: float | None = None
    case: Case | None = None
    judged: bool = False
    early: list[Loss] = field(default_factory=list)
    before: bool = False
    watched: int | None = None
    ran: bool = False
    listing: bool = False


class Transcript:
    """Feed it bytes; ask at any time how far the list is, and at the end what became of its cases.

    Args:
        expected: Cases that the list should have.
        clock: Seconds that only grow.

    Attributes:
        moved: When the case that runs now began, at the latest: when the last one was judged.
        heard: Whether anything of a test was printed.
    """

    def __init__(self, expected: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._expected, self._clock = frozenset(expected), clock
        self._flaws = Flaws()
        self._cases = Cases(self._flaws)
        self._lines, self._span = Lines(), _Span()
        self._verdicts: list[str] = []
        self.moved = clock()
        self.heard = False

    def feed(self, data: bytes) -> None:
        """Take what came, in pieces of any size."""
        for line in self._lines.feed(data):
            self._line(line)

    def plan(self, names: Iterable[str]) -> None:
        """Take names of cases that the run's log tells of."""
        for name in names:
            self._cases.get(name).planned = True

    def finish(self) -> None:
        """Nothing more will come."""
        for line in self._lines.finish():
            self._line(line)
        self._close()

    def progress(self) -> Progress:
        """How far the list is."""
        running = self._span.case.name if self._span.case and not self._span.judged else ""
        total = len(self._cases.names() | self._expected)
        return Progress(self._cases.judged(), total, running or self._cases.next_planned())

    @property
    def verdict(self) -> str | None:
        """The list's verdict, if it came; of several the first that is no PASS."""
        return counting(self._verdicts)

    @property
    def flaws(self) -> tuple[str, ...]:
        """What could not be read."""
        return self._flaws.told()

    def records(self) -> tuple[CaseRecord, ...]:
        """The cases that were named, in that order."""
        return self._cases.records()

    def _line(self, line: Line) -> None:
        found = list(shapes.events(line.text))
        self._span.line = self._span.line or line.number
        for event in found:
            self._event(event, line.number)
        if self._span.case:
            self._touch(self._span.case, line.number)
        if not line.whole and not found:
            self._flaws.add(line.number, f"it ends in mid-line: {shapes.shown(line.text)}")

    def _event(self, event: shapes.Event, line: int) -> None:
        match event:
            case shapes.Flaw(why):
                self._flaws.add(line, why)
            case shapes.Begun(name):
                self._begun(name, line)
            case shapes.Judged(name, word):
                self._judged(name, word, line)
            case shapes.ListJudged(word):
                self._verdicts = [*self._verdicts, word][:MOST_VERDICTS]
            case shapes.Lost(loss):
                self._lost(loss)
            case shapes.Running(watched):
                self._running(watched, line)
            case shapes.Over():
                self._over(line)
        self.heard = self.heard or not isinstance(event, shapes.Flaw | shapes.Over)

    def _begun(self, name: str, line: int) -> None:
        span, now = self._span, self._clock()
        listing = span.listing or (span.case is not None and not span.judged and not span.ran)
        self._close()
        case = self._cases.get(name)
        case.planned = True
        self._touch(case, line)
        self._span = _Span(line, listing=True) if listing else _Span(line, began=now, case=case)
        self.moved = now

    def _running(self, watched: int | None, line: int) -> None:
        if self._span.judged:
            self._close()
        span = self._span
        span.line, span.ran, span.listing = span.line or line, True, False
        span.watched = span.watched if watched is None else watched
        if span.began is None:
            span.began = self._clock()

    def _judged(self, name: str, word: str | None, line: int) -> None:
        case = self._cases.get(name)
        if self._span.judged or (self._span.case and self._span.case is not case):
            self._close()
        span, now = self._span, self._clock()
        span.line = span.line or line
        span.case, span.judged, self.moved = case, True, now
        self._take_early(case)
        if word:
            case.verdicts = [*case.verdicts, word][:MOST_VERDICTS]
        if case.seconds is None and span.began is not None and now - span.began > AT_ONCE:
            case.seconds = now - span.began
        case.watched = case.watched if span.watched is None else span.watched
        self._touch(case, line)

    def _take_early(self, case: Case) -> None:
        span = self._span
        span.before = span.before or bool(span.early)
        for loss in span.early:
            self._note(case, loss)
        span.early = []

    def _lost(self, loss: Loss) -> None:
        span = self._span
        if span.judged and span.before:
            self._close()
            span = self._span
        if span.case is None:
            span.early = [*span.early, loss][:MOST_LOSSES]
            return
        span.before = span.before or not span.judged
        self._note(span.case, loss)

    def _note(self, case: Case, loss: Loss) -> None:
        if len(case.losses) < MOST_LOSSES:
            case.losses.append(loss)

    def _over(self, line: int) -> None:
        """All was said of a case, unless its verdict is still to come."""
        if self._span.judged or self._span.case is None:
            if self._span.case:
                self._touch(self._span.case, line)
            self._close()

    def _close(self) -> None:
        if self._span.early:
            self._flaws.add(self._span.line, "losses of no case: no verdict came with them")
        self._span = _Span()

    def _touch(self, case: Case, line: int) -> None:
        case.first = case.first or self._span.line or line
        case.last = max(case.last, line)
