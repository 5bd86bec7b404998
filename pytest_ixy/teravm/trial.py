"""A run of scenario `teravm`: each step and list once, in order, on record as soon as it is done."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pytest_ixy.errors import IxyError, TargetError, UsageError
from pytest_ixy.labtable import LabTable, ListTable
from pytest_ixy.ng40 import folder, names
from pytest_ixy.ng40.judge import LIST
from pytest_ixy.ng40.records import Expected, How, LabRecord, ListRecord, Step
from pytest_ixy.progress import Progress
from pytest_ixy.settings import Settings
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.lab import Lab
from pytest_ixy.testbed import Workspace

Work = Callable[[Path], Done]
"""Does a step; what it runs on hosts is appended to that file."""


def table(settings: Settings) -> LabTable:
    """What `[lab]` says; UsageError when there is none."""
    if settings.lab is None:
        raise UsageError(
            "Scenario teravm needs a table [lab] in config.toml.",
            hint="see docs/teravm.md, and give --ixy-config=lab.toml",
        )
    return settings.lab


class LabTrial:
    """One run on one lab; nothing is done before it is asked for.

    Attributes:
        record: What has been done so far.
        folder: The bundle.
    """

    def __init__(self, settings: Settings, space: Workspace, bundle: Path, progress: Progress) -> None:
        self._settings, self._space, self._progress = settings, space, progress
        self._table, self.folder = table(settings), bundle
        self._lab = Lab(self._table, settings, space, bundle, progress)
        self._work = self._lab.steps()
        self.record = self._begun()

    def _begun(self) -> LabRecord:
        lab, settings = self._table, self._settings
        return LabRecord(
            lab=lab.name,
            run=self._space.run,
            tag=settings.tag,
            hosts={name: access.address for name, access in self._lab.hosts.accesses.items()},
            asked=(*self._work, *(LIST + one.name for one in lab.lists)),
            expected={one.name: self._expected(one) for one in lab.lists},
            strict=lab.strict,
            inconclusive=lab.inconclusive,
            user_plane=lab.user_plane,
            config=str(settings.config or ""),
            started=datetime.now(UTC),
        )

    def _expected(self, asked: ListTable) -> Expected:
        if asked.cases is not None:
            return Expected(cases=tuple(dict.fromkeys(asked.cases)), source=names.CONFIG)
        return names.of_bundles(self._settings.artifacts, self._table.name, asked.name)

    @property
    def latest(self) -> Path | None:
        """The bundle, None while it is empty."""
        return self.folder if folder.is_one(self.folder) else None

    def step(self, name: str) -> None:
        """Do a step, after all that come before it; nothing once one of them has gone wrong."""
        for each in list(self._work)[: list(self._work).index(name) + 1]:
            if self._broken:
                return
            if self.record.step(each) is None:
                self._do(each, self._work[each])

    def testlist(self, name: str) -> None:
        """Run a list, after all that comes before it; nothing once something of that has gone wrong."""
        self.step(list(self._work)[-1])
        for asked in self._table.lists:
            if not self._broken and self.record.testlist(asked.name) is None:
                self._run(asked)
            if asked.name == name:
                return

    @property
    def _broken(self) -> bool:
        return any(step.outcome != "passed" for step in self.record.steps)

    def _do(self, name: str, work: Work) -> None:
        step = self._measured(name, work)
        self._note(steps=(*self.record.steps, step), version=self._lab.version)
        for note in step.notes:
            self._progress.say(note)

    def _run(self, asked: ListTable) -> None:
        """Run a list; what keeps it from running stands among the steps, under the list's name."""
        before = self.record.lists

        def keep(ran: ListRecord) -> None:
            self._note(lists=(*before, ran))

        def run(log: Path) -> Done:
            expected = self.record.expected[asked.name]
            ran = self._lab.run(asked, expected, log, keep, check=len(before) > 0)
            keep(ran)  # verdicts stay, whatever becomes of retries
            keep(self._lab.again(asked, ran))
            return Done("")

        step = self._measured(LIST + asked.name, run)
        if step.outcome != "passed":
            self._note(steps=(*self.record.steps, step))

    def _measured(self, name: str, work: Work) -> Step:
        log = self.folder / "steps" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        started, began = datetime.now(UTC), time.monotonic()
        with self._progress.phase(name):
            outcome, done = _attempted(partial(work, log))
        return Step(
            name=name, outcome=outcome, title=done.title[:1000], message=done.message[-20_000:],
            numbers=dict(done.numbers), notes=tuple(note[:1000] for note in done.notes),
            log=_relative(log, self.folder), started=started, seconds=time.monotonic() - began,
        )  # fmt: skip

    def _note(self, **changed: object) -> None:
        """Put what is known now on record, on disk at once: a run may end at any moment."""
        self.record = self.record.model_copy(update=changed)
        folder.write(self.folder, self.record)

    def close(self) -> list[str]:
        """Stop what runs, give the lab back; what went wrong, none raised."""
        errors = [*self._lab.close(), *self._space.close().errors]
        try:
            if self.record.steps:
                self._note(over=self._complete())
        except OSError as error:
            errors.append(f"{self.folder} cannot be written to: {error}")
        return errors

    def _complete(self) -> bool:
        done = {step.name for step in self.record.steps} | {LIST + one.name for one in self.record.lists}
        return done >= set(self.record.asked)


def _attempted(work: Callable[[], Done]) -> tuple[How, Done]:
    """How it went, and what there is to say of it; nothing is done twice, whatever it raised."""
    try:
        return "passed", work()
    except TargetError as error:
        return "failed", _told(error)
    except IxyError as error:
        return "error", _told(error)
    except OSError as error:
        return "error", Done(f"This machine would not: {error}.")
    except Exception as error:  # noqa: BLE001 - else each test of hundreds would have it done once more
        return "error", Done(f"This is a flaw of pytest-ixy: {error!r}", message=traceback.format_exc())


def _told(error: IxyError) -> Done:
    """The first line is the title; the rest, such as a log's last lines, is the message."""
    title, _, rest = error.what.partition("\n")
    hint = f"what to do: {error.hint}" if error.hint else ""
    return Done(title, message="\n".join(filter(None, (rest, hint))))


def _relative(log: Path, bundle: Path) -> str:
    return str(log.relative_to(bundle)) if log.exists() else ""
