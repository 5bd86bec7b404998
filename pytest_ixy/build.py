"""Send to each node the repository that plays its role, and run commands there, on all nodes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.bundle import Build, BuildStep
from pytest_ixy.errors import LabError
from pytest_ixy.pack import pack
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Host
from pytest_ixy.target import Target
from pytest_ixy.testbed import Hosts, close

UPLOAD_TIMEOUT = 600.0

Programs = Mapping[str, Target]
"""The repository whose program plays a role."""


def folder_name(target: Target) -> str:
    """The target's folder in the home of the user on a node, named as `git clone` would."""
    return f"./{target.record.name}"


def send(hosts: Hosts, programs: Programs, scratch: Path, progress: Progress) -> None:
    """Unpack each repository's work tree, with its `.git`, in the home folder of the nodes it is for.

    Args:
        hosts: The nodes.
        programs: The repository to send to each of them, by role.
        scratch: Folder of this run.
        progress: Told about it.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    with progress.phase("send"):
        archives: dict[Path, Path] = {}
        for folder in {target.folder: None for target in programs.values()}:
            archives[folder] = scratch / f"target-{len(archives)}.tar.zst"
            pack(folder, archives[folder])
        all_at_once(
            {
                role: lambda role=role, target=target: hosts[role].unpack(  # type: ignore[misc]
                    archives[target.folder], folder_name(target), timeout=UPLOAD_TIMEOUT
                )
                for role, target in programs.items()
            },
            abort=lambda: close(hosts),
        )


@dataclass(frozen=True)
class Work:
    """Commands to be run in a folder of a node."""

    folder: str
    commands: tuple[str, ...]


def work(  # noqa: PLR0913, PLR0917
    name: str, hosts: Hosts, works: Mapping[str, Work], folder: Path, timeout: float, progress: Progress
) -> dict[str, Build]:
    """Run commands on every node; a failed one ends that node's.

    Args:
        name: Of the phase.
        hosts: The nodes.
        works: What to run on them, by role.
        folder: The bundle's folder; logs go to `build/NODE.log` in it.
        timeout: Seconds that each command may take.
        progress: Told which node is at which command.

    Raises:
        LabError: a node was lost.
    """
    at: dict[str, str] = dict.fromkeys(works, "")
    (folder / "build").mkdir(parents=True, exist_ok=True)

    def on(node: str, task: Work) -> Build:
        return _work_on(node, hosts[node], task, folder, timeout, at)

    def tick(unfinished: list[str]) -> None:
        nodes: dict[str, list[str]] = {}
        for node in unfinished:
            nodes.setdefault(at[node], []).append(node)
        progress.tell("; ".join(f"{step} on {', '.join(names)}" for step, names in nodes.items()))

    with progress.phase(name):
        return all_at_once(
            {node: lambda node=node, task=task: on(node, task) for node, task in works.items()},  # type: ignore[misc]
            tick=tick,
            abort=lambda: close(hosts),
        )


def log_of(node: str) -> Path:
    """Where the output of a node's commands is, in the bundle."""
    return Path("build") / f"{node}.log"


def _work_on(  # noqa: PLR0913, PLR0917
    name: str, host: Host, task: Work, folder: Path, timeout: float, at: dict[str, str]
) -> Build:
    steps: list[BuildStep] = []
    log = log_of(name)
    for number, command in enumerate(task.commands, 1):
        at[name] = f"{command[:30]!r}, {number} of {len(task.commands)},"
        with (folder / log).open("a", encoding="utf-8") as stream:
            stream.write(f"$ {command}\n")
        done = host.run(command, timeout=timeout, cwd=task.folder, log=folder / log)
        steps.append(
            BuildStep(
                command=command, exit=done.exit, seconds=round(done.seconds, 3), timed_out=done.timed_out
            )
        )
        if not steps[-1].exit.ok or done.timed_out:
            _require_space(name, host, done.output)
            break
    return Build(steps=tuple(steps), log=str(log))


def first_failure(builds: Mapping[str, Build]) -> str | None:
    """In one line which node's build failed where, or None when all are built."""
    for name, made in builds.items():
        if not made.ok:
            return f"the build failed on {name}: {explain(made)}"
    return None


def explain(made: Build) -> str:
    """What went wrong in a failed build."""
    step = made.steps[-1]
    if step.timed_out:
        return f"{step.command!r} had not ended after {step.seconds:.0f} s"
    how = f"was ended by {step.exit.signal}" if step.exit.signal else f"ended with status {step.exit.status}"
    return f"{step.command!r} {how}"


FULL = "df -Pk . /tmp | awk 'NR > 1 && $4 < 1024 {print \"is full\"}'"
"""Says so when there is less than 1 MiB left."""


def _require_space(node: str, host: Host, output: str) -> None:
    """Raise LabError when a command failed because the node's disk is full.

    The target may say that it is for reasons of its own, so the node is asked.
    """
    if "No space left on device" not in output:
        return
    if "is full" in host.run(FULL, timeout=60).output:
        raise LabError(
            f"The disk of {node} is full: a build command said 'No space left on device'.",
            hint="give the machines an image with a larger disk (--ixy-image)",
        )
