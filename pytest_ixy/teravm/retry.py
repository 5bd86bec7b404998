"""Failed cases of a list, each run once more alone: it is recorded, and changes no verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ListTable
from pytest_ixy.ng40.output import Transcript
from pytest_ixy.ng40.records import CaseRecord, ListRecord
from pytest_ixy.ng40.shapes import FAIL
from pytest_ixy.teravm.attempt import Job, Went
from pytest_ixy.teravm.follow import Deadline, Deadlines

Go = Callable[[Job], Went]
"""Runs the program."""


class Retries:
    """Runs failed cases once more.

    Args:
        asked: The list.
        bundle: The bundle.
        go: Runs the program.
    """

    def __init__(self, asked: ListTable, bundle: Path, go: Go) -> None:
        self._asked, self._bundle, self._go = asked, bundle, go
        one = Deadline.of(asked.case_timeout, "case-timeout")
        self._deadlines = replace(Deadlines.of(asked), whole=one)
        self._end = time.monotonic() + timespan.parse(asked.timeout).total_seconds()
        self._again: dict[str, str] = {}
        self._logs: list[str] = []
        self._notes: list[str] = []

    def of(self, record: ListRecord) -> ListRecord:
        """The list with what its failed cases did alone, as far as the time of the list is enough for it."""
        failed = [case for case in record.cases if case.verdict == FAIL]
        for number, case in enumerate(failed):
            if time.monotonic() > self._end or not self._case(case):
                self._notes.append(f"{len(failed) - number} failed cases were not run once more")
                break
        return record.model_copy(
            update={
                "cases": tuple(self._with_second(case) for case in record.cases),
                "retries": tuple(self._logs),
                "notes": tuple(note[:300] for note in self._notes),
            }
        )

    def _case(self, case: CaseRecord) -> bool:
        """Run one; whether it makes sense to go on."""
        log = self._bundle / "lists" / self._asked.name / "retry" / f"{case.name}.log"
        transcript = Transcript([case.name])
        words = [word.replace("{case}", case.name) for word in self._asked.alone.split()]
        try:
            went = self._go(Job(self._asked.name, words, log, transcript, self._deadlines))
        except LabError as error:
            self._notes.append(f"{case.name} could not be run once more: {error.what}")
            return False
        self._logs.append(str(log.relative_to(self._bundle)))
        said = next((one.verdict for one in transcript.records() if one.name == case.name), None)
        if said:
            self._again[case.name] = said
        else:
            self._notes.append(f"{case.name}, run once more, got no verdict: {went.words or went.end}")
        return went.clean and went.end != "refused"

    def _with_second(self, case: CaseRecord) -> CaseRecord:
        return case.model_copy(update={"again": self._again.get(case.name)})
