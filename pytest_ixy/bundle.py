"""The folder that a trial leaves: the seam between the lab and the judgement.

BUNDLE/
  manifest.json          `Manifest`, everything that is known about the trial
  capture.pcap           what the pcap role wrote
  capture-back.pcap      the same at the other end, where packets were sent both ways
  sent.pcap              the frames that the reference pktgen sent, where they were of another kind
  target.diff            how the work tree differed from the commit (dirty targets only)
  build/ROLE.log         output of the build commands on that role's node
  roles/ROLE.log         output of the role while it ran
  roles/ROLE.crash.txt   backtrace and what else tells of its crash
  roles/ROLE.core.zst    its core dump, where the node had no gdb
  consoles/NODE.log      serial console of the node
  consoles/NODE.kernel   what its kernel logged during the trial
  rates.json             packets per second through each role (see `rates.py`)
  counters.json          what the networks counted, over time (see `series.py`)
  memory.json            the memory that roles had, over time (long trials only)
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from pytest_ixy import tomlfile
from pytest_ixy.crash.record import Crash
from pytest_ixy.dialect import Dialect
from pytest_ixy.errors import UsageError
from pytest_ixy.nodestate import NodeState
from pytest_ixy.record import Record
from pytest_ixy.tomlfile import RuleTables

MANIFEST = "manifest.json"
CAPTURE = "capture.pcap"
BACK = "capture-back.pcap"
SENT = "sent.pcap"
DIFF = "target.diff"
LARGEST_MANIFEST = 16 << 20
LONGEST_PATH, LONGEST_NAME = 1000, 255

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
    """All build commands that ran on one role's node; `log` is relative to the bundle."""

    steps: tuple[BuildStep, ...]
    log: str

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
    those the network meant for it and could not deliver.
    """

    network: str
    pci: str
    mac: str | None = None
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
    """What was tested. `label` is the name in test ids, such as `ixy@0e00605` or `ixy@0e00605+dirty`."""

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


class Manifest(Record):
    """Everything that is known about one trial; see the attributes' own classes.

    `builds` are keyed by role, `roles` too; one that was started again is there as `fwd-2` as well.
    `packets` is N, the number asked for; None where nobody knows, which no bundle on disk may say (see
    `bare.py`). `dialect` is None where the target declared none. `rules` are the options of rules that were
    set for the trial, by rule and name. `course` is None where the trial went the usual way. `guests` are
    other repositories that played a role, by role. `series` are files with numbers over time, by what they
    hold (see `series.py`).
    `unsupported` are the parameters of tests, by scenario, that the target declares not to support. `options`
    are those that somebody gave and nothing else here tells, by name (see `Settings.told`).
    """

    format: int = 1
    run: str
    scenario: str
    packets: int | None
    started: datetime
    target: TargetRecord
    provider: ProviderRecord
    nodes: tuple[NodeRecord, ...]
    builds: dict[str, Build]
    roles: dict[str, Run]
    capture: CaptureRecord
    dialect: Dialect | None = None
    rules: RuleTables = Field(default_factory=dict)
    course: CourseRecord | None = None
    guests: dict[str, TargetRecord] = Field(default_factory=dict)
    series: dict[str, str] = Field(default_factory=dict)
    unsupported: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    options: dict[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)


class Bundle:
    """A trial's folder, opened for reading; `alone` when it is nothing but a capture.

    Attributes:
        path: The folder.
        manifest: What is known about the trial.
        observed: What `rules` has seen in the capture while it came; None where it has not looked. It is
            never on disk, and nothing but time depends on it.
    """

    alone = False

    def __init__(self, path: Path, manifest: Manifest, observed: object = None) -> None:
        self.path = path
        self.manifest = manifest
        self.observed = observed

    @property
    def capture(self) -> Path | None:
        """Path of the capture, or None when the trial left none.

        Raises:
            UsageError: the manifest names a file outside the bundle.
        """
        file = self.manifest.capture.file
        return self.inside(file) if file else None

    def inside(self, relative: str) -> Path:
        """The path of a file that the manifest names.

        Raises:
            UsageError: it leads out of the bundle, which may come from anywhere.
        """
        if not _possible(relative) or not (self.path / relative).resolve().is_relative_to(
            self.path.resolve()
        ):
            raise UsageError(f"{self.path / MANIFEST}: {relative!r} is not in the bundle")
        return self.path / relative

    def text(self, relative: str, *, limit: int = 1 << 20, start: int = 0) -> str:
        """The last `limit` bytes from `start` on of a text file in the bundle; empty when it is not there."""
        file = self.inside(relative)
        if not file.is_file():
            return ""
        with file.open("rb") as stream:
            size = file.stat().st_size
            stream.seek(max(0, min(start, size), size - limit))
            return stream.read().decode("utf-8", "replace")


def _possible(relative: str) -> bool:
    """Whether a file can have that name at all; where not, every question about it would be an error."""
    longest = max(len(part.encode("utf-8", "replace")) for part in relative.split("/"))
    return "\0" not in relative and len(relative) < LONGEST_PATH and longest <= LONGEST_NAME


def write(path: Path, manifest: Manifest) -> Bundle:
    """Write the manifest into the folder `path`, whole or not at all, and open it."""
    path.mkdir(parents=True, exist_ok=True)
    draft = path / (MANIFEST + ".part")
    draft.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(path / MANIFEST)
    return Bundle(path, manifest)


def load(path: Path) -> Bundle:
    """Open a trial's folder.

    Raises:
        UsageError: there is no manifest, or it is not one that this version can read.
    """
    file = path / MANIFEST
    try:
        manifest = Manifest.model_validate_json(_read(file))
    except OSError as error:
        raise UsageError(f"{path} is not a bundle: {error.strerror}: {file.name}") from error
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{file}: {where[:200]!r} {tomlfile.in_words(first)[:200]}") from error
    if manifest.packets is None:
        raise UsageError(f"{file}: 'packets': should be the number that was asked for")
    return Bundle(path, manifest)


def _read(file: Path) -> bytes:
    """All of a manifest, unless it is something that would block or fill the memory."""
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a regular file")
    with file.open("rb") as stream:
        data = stream.read(LARGEST_MANIFEST + 1)
    if len(data) > LARGEST_MANIFEST:
        raise UsageError(f"{file} is larger than {LARGEST_MANIFEST >> 20} MiB, so it is no manifest")
    return data
