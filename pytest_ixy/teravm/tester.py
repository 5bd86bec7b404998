"""The tester: seen to be idle, given lists to run, stopped and cleaned up when it must be."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ListTable, Ng40Table
from pytest_ixy.ng40.output import Transcript
from pytest_ixy.ng40.plan import planned
from pytest_ixy.ng40.records import ListRecord
from pytest_ixy.remote import Host
from pytest_ixy.teravm.attempt import Attempt, Job, Went, clean
from pytest_ixy.teravm.collect import RUN_LOG, Collected, Collector, with_files
from pytest_ixy.teravm.controller import Controller, Mark
from pytest_ixy.teravm.detached import Detached
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.follow import Deadlines
from pytest_ixy.teravm.retry import Retries

INTERRUPTED = Went("cut-off", "the run was interrupted", None)
POLL = 5.0
"""Seconds between two questions whether the tester is idle."""


class Tester:
    """The tester of a lab.

    Args:
        reach: Gives a live connection to the controller, a new one when the last one broke.
        table: `[lab.ng40]`.
        bundle: Where records and logs go.
        tell: Told the progress.
        say: Told in a line what stays to be read.
        run: The run's id; left out, the bundle's name.
    """

    def __init__(  # noqa: PLR0913 - all that it needs
        self,
        reach: Callable[[], Host],
        table: Ng40Table,
        bundle: Path,
        tell: Callable[[str], None],
        say: Callable[[str], None],
        *,
        run: str = "",
    ) -> None:
        self._controller = Controller(reach, table, say)
        self._table, self._bundle, self._tell, self._say = table, bundle, tell, say
        self._run = run or bundle.name
        self._active: Detached | None = None

    def idle(self, log: Path) -> Done:
        """See that it is idle; where a run before was cut off in mid-list, clean up after it.

        Raises:
            LabError: somebody else uses it for longer than `idle`, or it cannot be asked.
        """
        mark = self._controller.mark()
        forced = mark is not None or self._table.clean == "always"
        if mark:
            Detached(self._controller, mark.id).stop()
        if forced:
            clean(self._controller, log, self._tell)
        self._await_idle(log, forced=forced)
        if mark:
            self._controller.unmark()
        title = "the tester is idle" + (", after a forced clean-up" if forced else "")
        return Done(title, notes=(_told(mark),) if mark else ())

    def _await_idle(self, log: Path, *, forced: bool) -> None:
        end = time.monotonic() + timespan.parse(self._table.idle).total_seconds()
        while busy := self._controller.state(log):
            left = end - time.monotonic()
            if left <= 0:
                raise self._busy(busy, forced=forced)
            self._tell(f"busy: {busy[:60]}; waiting for {left:.0f} s more")
            time.sleep(min(POLL, left))

    def _busy(self, busy: str, *, forced: bool) -> LabError:
        waited = f"It was waited for {self._table.idle}. It says: {busy}"
        if forced:
            return LabError(f"The tester is busy, even after a forced clean-up.\n{waited}")
        return LabError(
            f"The tester is busy, and not with a run of ours: somebody uses it by hand.\n{waited}",
            hint=f"wait until they are done, or end it on the controller: {' '.join(self._table.cleanup)}",
        )

    def run(
        self, asked: ListTable, expected: Sequence[str], keep: Callable[[ListRecord], None]
    ) -> ListRecord:
        """Run a list to its end, whatever that is; its files are below `lists/` of the bundle.

        Args:
            asked: The list.
            expected: Cases that it is known to hold.
            keep: Given what is known when somebody interrupts it.

        Raises:
            LabError: it could not be started.
        """
        started, began = datetime.now(UTC), time.monotonic()
        transcript = Transcript(expected)
        folder = self._bundle / "lists" / asked.name
        log = folder.with_name(f"{asked.name}.log")
        detached = self._new(asked.name)

        def record(went: Went, collected: Collected, seconds: float) -> ListRecord:
            return ListRecord(
                name=asked.name, file=asked.file, end=went.end, words=went.words, status=went.status,
                verdict=transcript.verdict, cases=with_files(transcript.records(), collected),
                flaws=transcript.flaws, log=self._inside(log), files=self._files(asked.name, collected),
                lost=collected.told(), started=started, seconds=seconds,
            )  # fmt: skip

        try:
            went = self._go(detached, Job(asked.name, [asked.file], log, transcript, Deadlines.of(asked)))
        except KeyboardInterrupt:
            keep(record(INTERRUPTED, Collected(), time.monotonic() - began))
            raise
        seconds = time.monotonic() - began
        return record(went, self._collected(detached, folder, transcript, went), seconds)

    def _new(self, name: str) -> Detached:
        return Detached(self._controller, f"{name}-{secrets.token_hex(4)}")

    def _go(self, detached: Detached, job: Job) -> Went:
        attempt = Attempt(detached, job, self._beside(job.name), self._prefixed(job.name))
        with self._watched(detached):
            went = attempt.go(self._run)
        if went.clean:
            self._active = None
        if went.words:
            self._say(f"{job.name}: {went.words}")
        return went

    @contextmanager
    def _watched(self, detached: Detached) -> Iterator[None]:
        """What may run from here on is stopped by `abandon`, and at once where it could not be started."""
        self._active = detached
        try:
            yield
        except LabError:
            self.abandon()
            raise

    def _prefixed(self, name: str) -> Callable[[str], None]:
        return lambda detail: self._tell(f"{name}: {detail}")

    def _collected(self, detached: Detached, folder: Path, transcript: Transcript, went: Went) -> Collected:
        self._tell(f"{folder.name}: collecting")
        collected = Collector(detached, self._bundle, folder, transcript.records()).collect()
        if collected.run_log:
            with collected.run_log.open("rb") as file:
                transcript.plan(planned(file.read(RUN_LOG)))
        if went.clean:
            self._forget(detached)
        return collected

    def _forget(self, detached: Detached) -> None:
        try:
            detached.forget()
        except LabError as error:
            self._say(error.what)

    def again(self, asked: ListTable, record: ListRecord) -> ListRecord:
        """The list with its failed cases run once more, where it asks for that; first verdicts stay."""
        if not asked.retry or record.end != "finished":
            return record

        def go(job: Job) -> Went:
            detached = self._new(asked.name)
            went = self._go(detached, job)
            if went.clean:
                self._forget(detached)
            return went

        return Retries(asked, self._bundle, go).of(record)

    def _beside(self, name: str) -> Path:
        """Where the output of a forced clean-up after a list goes."""
        return self._bundle / "lists" / name / "clean-up.log"

    def _files(self, name: str, collected: Collected) -> tuple[str, ...]:
        return tuple(filter(None, (*collected.others, self._inside(self._beside(name)))))

    def _inside(self, file: Path) -> str:
        return str(file.relative_to(self._bundle)) if file.exists() else ""

    def abandon(self) -> list[str]:
        """Stop what runs and clean up, at any time; the errors that were met, none raised."""
        active, errors = self._active, list[str]()
        if active is None:
            return errors
        log = self._bundle / "steps" / "clean-up.log"
        for work in (active.stop, lambda: self._controller.clean(log)):
            try:
                work()
            except LabError as error:
                errors.append(error.what)
        if not errors:
            errors += self._unmarked()
        return errors

    def _unmarked(self) -> list[str]:
        try:
            self._controller.unmark()
        except LabError as error:
            return [error.what]
        self._active = None
        return []


def _told(mark: Mark) -> str:
    run, name = mark.run or "of unknown name", mark.name or "of unknown name"
    return (
        f"run {run} was cut off while its list {name} ran: what was left of it was ended, "
        "and the tester was cleaned up by force"
    )
