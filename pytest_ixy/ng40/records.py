"""What a bundle of scenario `teravm` has on record: `teravm.json`, as data."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from pytest_ixy.record import Record

LONGEST_CASE = 160
CASE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)
"""What names a case; whatever else is printed in such a place is no verdict."""

Case = Annotated[str, Field(max_length=LONGEST_CASE, pattern=f"^{CASE.pattern}$")]
Short = Annotated[str, Field(max_length=200)]
Long = Annotated[str, Field(max_length=20_000)]
File = Annotated[str, Field(max_length=1000)]
Count = Annotated[int, Field(ge=0, lt=10**15)]

How = Literal["passed", "failed", "error", "skipped"]
End = Literal["finished", "list-timeout", "case-timeout", "silence", "cut-off", "refused"]


class Step(Record):
    """One step before the lists: lease, tag, upgrades, health, idle.

    Attributes:
        name: Such as `upgrade-agw`.
        outcome: failed is the build's fault, error the lab's.
        title: One line.
        message: More of it, such as the last lines of a log.
        numbers: Facts by name, such as the version `before` and `after`.
        log: File in the bundle; empty for none.
        notes: What else a reader should know, such as a lease that was taken over.
    """

    name: Short
    outcome: How
    title: Annotated[str, Field(max_length=1000)]
    message: Long = ""
    numbers: dict[Short, int | float | Short] = Field(default_factory=dict)
    log: File = ""
    notes: tuple[Annotated[str, Field(max_length=1000)], ...] = ()
    started: datetime
    seconds: float


class Loss(Record):
    """One line of a packet-loss table: `DL Loss= AS_PktTx-S1uPktRx=     185(pkts); 100.00(%)`."""

    direction: Short
    between: Short
    packets: int
    percent: float


class CaseRecord(Record):
    """What the tester said of one case.

    Attributes:
        name: As it printed it.
        verdict: What stood behind `VERDICT_`, such as `PASS`; None while there is none.
        verdicts: All that were printed, in order, where there was more than one.
        planned: Whether a log named it before it ran.
        seconds: From its start to its verdict, by our clock; None where one of the two was not seen, or both
            were seen at once.
        watched: Seconds that the tester had watched it for, when it last said so.
        losses: Its packet-loss table.
        first, last: Lines of the list's log that are about it, counted from 1; 0 for none.
        files: Its logs and captures in the bundle.
        again: The verdict of its retry; None where there was none.
    """

    name: Case
    verdict: Short | None = None
    verdicts: tuple[Short, ...] = ()
    planned: bool = False
    seconds: float | None = None
    watched: Count | None = None
    losses: tuple[Loss, ...] = ()
    first: Count = 0
    last: Count = 0
    files: tuple[File, ...] = ()
    again: Short | None = None


class ListRecord(Record):
    """One run of a test list.

    Attributes:
        name, file: As in `[[lab.lists]]`.
        end: How it ended; see `words` for what a deadline cut off.
        words: In one line how it ended, where it did not finish.
        status: The program's exit status; None where it was stopped.
        verdict: What stood behind `Testlist verdict = VERDICT_`; None where it did not come.
        cases: In the order in which they were first named.
        flaws: What of the output could not be read, such as a cut line.
        log: What the program printed, a file in the bundle.
        files: Other files in the bundle: the run's log, and what belongs to no single case.
        lost: What could not be collected, in words.
        retries: Logs of cases that were run once more.
        notes: What else a reader should know, such as a case that was run once more without a verdict.
    """

    name: Short
    file: Short
    end: End
    words: Annotated[str, Field(max_length=1000)] = ""
    status: int | None = None
    verdict: Short | None = None
    cases: tuple[CaseRecord, ...] = ()
    flaws: tuple[Annotated[str, Field(max_length=300)], ...] = ()
    log: File = ""
    files: tuple[File, ...] = ()
    lost: tuple[Annotated[str, Field(max_length=300)], ...] = ()
    retries: tuple[File, ...] = ()
    notes: tuple[Annotated[str, Field(max_length=300)], ...] = ()
    started: datetime
    seconds: float

    def case(self, name: str) -> CaseRecord | None:
        """The case of that name, if the tester spoke of it."""
        return next((case for case in self.cases if case.name == name), None)


class Expected(Record):
    """Which cases a list was to have, known before it ran.

    Attributes:
        cases: Their names; empty where nobody knew.
        source: `config`, the path of an earlier bundle, or empty.
    """

    cases: tuple[Case, ...] = ()
    source: Annotated[str, Field(max_length=1000)] = ""


class LabRecord(Record):
    """The whole of `teravm.json`.

    Attributes:
        lab: The lab's name in test ids.
        run: The run's id.
        tag: What was asked for: `latest` or a hash.
        version: The version that it was resolved to; empty where that failed.
        hosts: Addresses by node: agw, the FEGs, ng40.
        steps, lists: What has been done, in order.
        asked: Names of the steps and lists that were to be done.
        expected: What was known of each list's cases beforehand.
        strict, inconclusive, user_plane: As in `[lab]`.
        config: The config.toml.
        over: Whether the run came to its end.
    """

    format: Literal[1] = 1
    scenario: Literal["teravm"] = "teravm"
    lab: Short
    run: Short
    tag: Short
    version: Short = ""
    hosts: dict[Short, Short] = Field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    lists: tuple[ListRecord, ...] = ()
    asked: tuple[Short, ...] = ()
    expected: dict[Short, Expected] = Field(default_factory=dict)
    strict: bool = False
    inconclusive: Literal["fail", "report"] = "fail"
    user_plane: Literal["fail", "report"] = "report"
    config: Annotated[str, Field(max_length=4000)] = ""
    started: datetime
    over: bool = False

    def step(self, name: str) -> Step | None:
        """The step of that name, if it was done."""
        return next((step for step in self.steps if step.name == name), None)

    def testlist(self, name: str) -> ListRecord | None:
        """The list of that name, if it was run."""
        return next((one for one in self.lists if one.name == name), None)
