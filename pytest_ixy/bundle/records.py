"""What a bundle's manifest says of roles, nodes, captures and the rest, each as data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from pytest_ixy.crash.record import Crash
from pytest_ixy.nodestate import NodeState
from pytest_ixy.record import Record

Frames = Annotated[int, Field(gt=-(10**15), lt=10**15)]
"""A count, or what is between two: no network has ever counted further."""


class Exit(Record):
    """How a process ended.

    Attributes:
        status: Exit status as bash reports it (128 + n for signal n); None while unknown.
        signal: Name of the signal that ended it, such as `SIGSEGV`, or None.
        missing: True when the program was not found or is not executable (127, 126).
        core_pattern: The node's core pattern when it crashed, else None.
    """

    status: int | None
    signal: str | None = None
    missing: bool = False
    core_pattern: str | None = None

    @property
    def ok(self) -> bool:
        """True for exit status 0."""
        return self.status == 0


class BuildStep(Record):
    """One `build` command on one node."""

    command: str
    exit: Exit
    seconds: float
    timed_out: bool = False


class Build(Record):
    """All build commands that ran for one role's node; `log` is relative to the bundle.

    Attributes:
        steps: The commands; those of `setup` behind those of `build`.
        log: What they printed.
        made_on: The role on whose node it was built; None where that was its own.
        kept: When it was built, where that was in an earlier run.
    """

    steps: tuple[BuildStep, ...]
    log: str
    made_on: Annotated[str, Field(max_length=100)] | None = None
    kept: datetime | None = None

    @property
    def ok(self) -> bool:
        """True when every command ended with status 0 in time."""
        return all(step.exit.ok and not step.timed_out for step in self.steps)


class Run(Record):
    """One role's process in the trial; times are seconds since the trial's start.

    Attributes:
        command: The command line from the target's `ixy-ci.toml`.
        environment: Variables given to it (no secrets).
        started, ended: Seconds since `Manifest.started`; ended is None when it never ended.
        ready: How it was known to be ready, in words ("printed /listening/", "after 2.0 s").
        exit: How it ended.
        ended_itself: True when it ended before anyone told it to stop.
        stopped_by: Last signal that was needed to end it (INT, TERM, KILL), or None.
        stragglers: Names of processes it left behind, which were then killed.
        log: Path of its output, relative to the bundle.
        tail: The last lines of its output.
        player: Whose program it is: `target`, `reference`, or the label of another repository, which is
            among the manifest's `guests`.
        crash: What it left that tells why it ended, if it crashed or complained.
    """

    command: str
    environment: dict[str, str]
    started: float
    ready: str
    ended: float | None
    exit: Exit
    ended_itself: bool
    stopped_by: str | None = None
    stragglers: tuple[str, ...] = ()
    log: str = ""
    tail: str = ""
    player: str = "target"
    crash: Crash | None = None

    @property
    def killed(self) -> bool:
        """True when it was ended by SIGKILL, for whatever reason."""
        return self.stopped_by == "KILL" and not self.ended_itself


class NicRecord(Record):
    """A test NIC and the frame counters seen from the network's side, None where unknown.

    `sent` counts frames that came out of the node, `received` those delivered to it, `dropped`
    those the network meant for it and could not deliver. `model` is what the provider made, see `nics.py`.
    """

    network: str
    pci: str
    mac: str | None = None
    model: Annotated[str, Field(max_length=80)] | None = None
    sent: Frames | None = None
    received: Frames | None = None
    dropped: Frames | None = None


class NodeRecord(Record):
    """A machine of the testbed.

    Attributes:
        name: The role's that it runs.
        nics: Its test NICs.
        address: Where it is.
        console: Its console's output, relative to the bundle.
        spoken: Bytes of that which are older than the trial.
        kernel: What its kernel logged during the trial, relative to the bundle.
        before, after: What state it was in before the roles started and after they had ended.
        untidy: What could not be put back as it was, in words.
    """

    name: str
    nics: tuple[NicRecord, ...]
    address: str = ""
    console: str | None = None
    spoken: int = 0
    kernel: str | None = None
    before: NodeState | None = None
    after: NodeState | None = None
    untidy: tuple[str, ...] = ()


class TargetRecord(Record):
    """What was tested.

    `label` is the name in test ids, such as `ixy@0e00605`, `ixy@0e00605+dirty`, or `ixy@0e00605~e1000` where
    a model of NICs was asked for.
    """

    label: str
    name: str
    source: str
    ref: str | None
    commit: str
    dirty: bool
    subject: str = ""


class ProviderRecord(Record):
    """Where it was tested.

    Attributes:
        name: Of the provider.
        version: Of what it makes machines with (QEMU).
        accelerator: kvm or tcg, with the reason in `notes`.
        image: Name of the machines' image.
        notes: What else a reader should know.
    """

    name: str
    version: str | None = None
    accelerator: str | None = None
    image: str | None = None
    notes: tuple[str, ...] = ()


class Phase(Record):
    """A named stretch of the run (clone, image, boot, build, ready, capture, stop, fetch)."""

    name: str
    started: datetime
    seconds: float


class CaptureRecord(Record):
    """What the pcap role left.

    Attributes:
        file: Path in the bundle, or None when there was nothing to fetch.
        bytes: Its size.
        timed_out: True when pcap had not ended at its deadline.
        deadline: That deadline in seconds after pktgen's start.
        seconds: Time from pktgen's start to pcap's end or the deadline.
        written: Bytes that pcap had written when the watch ended, if known.
    """

    file: str | None
    bytes: int = 0
    timed_out: bool = False
    deadline: float = 0.0
    seconds: float = 0.0
    written: int | None = None


class Event(Record):
    """Something that was done to the trial; times are seconds since `Manifest.started`.

    Attributes:
        seconds, until: When it began, and when it was over.
        words: What.
        before, after: Frames that had come to pcap's node by then; None where nobody counted.
    """

    seconds: float
    words: str
    until: float | None = None
    before: int | None = None
    after: int | None = None


class CourseRecord(Record):
    """How the trial went where it was not the usual way; see `course.Course`.

    Attributes:
        words: What was unusual.
        name: Of the test that asked for it, empty where none did.
        seconds: The trial was to end when traffic was so old; None where pcap's end was its end.
        swapped: fwd had its NICs the other way round.
        traffic: The class of frames that the reference pktgen sent, empty where it was none.
        sent: The file in the bundle that holds those frames.
        events: What was done, in order.
        back: The capture of the way back, where packets were sent both ways.
    """

    words: str
    name: str = ""
    seconds: float | None = None
    swapped: bool = False
    traffic: str = ""
    sent: str | None = None
    events: tuple[Event, ...] = ()
    back: CaptureRecord | None = None
