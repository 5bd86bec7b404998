"""Why a role ended: its core dump, what it printed and what the kernel said of it, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from pytest_ixy.bundle import Run
from pytest_ixy.crash import frames
from pytest_ixy.crash.kernel import events
from pytest_ixy.crash.record import FRAMES, LONGEST, SHOWN, Crash
from pytest_ixy.crash.reports import Report, reports
from pytest_ixy.known import with_history
from pytest_ixy.printable import one_line, plain
from pytest_ixy.probe import Core, Seen, script
from pytest_ixy.remote import Host, RemoteFileMissing

ASKED = frozenset({"SIGINT", "SIGTERM", "SIGKILL"})
"""What ends a role that is told to stop."""
TIMEOUT, FETCH = 120.0, 120.0
LARGEST_CORE, OUTPUT = 16 << 20, 1 << 16
KERNEL_LINES = 40


@dataclass(frozen=True)
class Dump:
    """What a core dump told: gdb's words, or where it is kept; either may be missing."""

    said: str = ""
    kept: str | None = None

    @property
    def frames(self) -> list[str]:
        """Functions of the thread that crashed, innermost first."""
        return list(frames.of_gdb(_part(self.said, "crashed").splitlines()))


@dataclass(frozen=True)
class Scene:
    """Where a role ended.

    Attributes:
        host: Its node.
        seen: What was seen there afterwards.
        name: The role's, under which its log stands.
        folder: The bundle's.
    """

    host: Host
    seen: Seen
    name: str
    folder: Path

    @property
    def output(self) -> str:
        """The end of what it printed."""
        log = self.folder / "roles" / f"{self.name}.log"
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - OUTPUT))
            return stream.read().decode("utf-8", "replace")


def examine(scene: Scene, run: Run) -> Run:
    """The run with what is known of its crash; as it is when nothing speaks of one.

    Raises:
        LabError: the node was lost.
    """
    found, core = reports(scene.output), _core(scene.seen.cores, run, scene.name)
    signal = _signal(run, core)
    if not found and not signal:
        return run
    dump = _dump(scene, core) if core else Dump()
    crash = _crash(found, signal, dump, _of_kernel(scene.seen.kernel))
    crash = crash.model_copy(update={"core": dump.kept, "file": _keep(crash, dump, found, scene)})
    return run.model_copy(update={"crash": with_history(crash, scene.folder)})


def _core(cores: Sequence[Core], run: Run, name: str) -> Core | None:
    """The one that fits the end of the role, or that of a process of its own."""
    fitting = [core for core in cores if _name(core.signal) == run.exit.signal]
    others = () if "-" in name else cores  # of a role that was started again: it is the first one's
    return next(iter([*fitting, *others]), None)


def _signal(run: Run, core: Core | None) -> str:
    """The signal that nobody sent on purpose, of the role or a process of its own; empty for none."""
    own = run.exit.signal
    if own and (run.ended_itself or own not in ASKED):
        return own
    return _name(core.signal) if core else ""


def _name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def _dump(scene: Scene, core: Core) -> Dump:
    """Ask gdb on the node; bring the core over when there is none."""
    environment = {"PROGRAM": core.program, "CORE": core.path, "LARGEST": str(LARGEST_CORE)}
    done = scene.host.run(script("core.sh"), timeout=TIMEOUT, root=True, environment=environment)
    head, _, rest = done.output.partition("\n")
    if head == "ixy: gdb":
        return Dump(plain(rest))
    kind = head.removeprefix("ixy: packed ")
    return _kept(scene, core, kind) if kind in {"zst", "gz"} else Dump()


def _kept(scene: Scene, core: Core, kind: str) -> Dump:
    local = scene.folder / "roles" / f"{scene.name}.core.{kind}"
    try:
        scene.host.fetch(f"{core.path}.{kind}", local, timeout=FETCH, limit=LARGEST_CORE)
    except RemoteFileMissing:
        return Dump()
    how = f"The node has no gdb. Unpack roles/{local.name}, then: gdb {one_line(core.program)} CORE"
    return Dump(how, f"roles/{local.name}")


def _crash(found: list[Report], signal: str, dump: Dump, kernel: list[str]) -> Crash:
    """All of it in one record; what the program itself says comes first."""
    report = next(iter(found), None)
    names = (report.frames if report else ()) or tuple(dump.frames)
    what = report.what if report else signal
    parts = [plain("\n".join(one.lines)) for one in found[:3]]
    parts += [_part(dump.said, "crashed") or dump.said, _part(dump.said, "frame")]
    return Crash(
        what=_line(what),
        fingerprint=frames.fingerprint(what, names),
        frames=tuple(map(_line, names[:FRAMES])),
        text="\n".join(part.strip("\n") for part in parts if part.strip())[:SHOWN],
        kernel=tuple(map(_line, kernel[:KERNEL_LINES])),
    )


def _of_kernel(said: str) -> list[str]:
    return [line for event in events(said) for line in event.lines]


def _keep(crash: Crash, dump: Dump, found: list[Report], scene: Scene) -> str:
    """Write all that is known into the bundle; the file's name there."""
    file = scene.folder / "roles" / f"{scene.name}.crash.txt"
    parts = [f"{crash.what}\nfingerprint {crash.fingerprint}", *("\n".join(one.lines) for one in found)]
    parts += [dump.said, "\n".join(["kernel:", *crash.kernel]) if crash.kernel else ""]
    text = "\n\n".join(plain(part) for part in parts if part)
    file.write_text(text + "\n", encoding="utf-8", errors="replace")
    return f"roles/{file.name}"


def _part(said: str, name: str) -> str:
    """What gdb said behind that mark of `core.sh`."""
    return said.partition(f"\n@@ {name}\n")[2].partition("\n@@ ")[0].strip("\n")


def _line(text: str) -> str:
    return one_line(text)[:LONGEST]
