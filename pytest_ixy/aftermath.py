"""What a trial leaves on its nodes, brought into the bundle: their states, kernels' words and crashes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import postmortem
from pytest_ixy.bundle import NodeRecord, Run
from pytest_ixy.crash.kernel import events
from pytest_ixy.errors import LabError
from pytest_ixy.postmortem import Scene
from pytest_ixy.printable import one_line, plain
from pytest_ixy.probe import Probe
from pytest_ixy.providers.base import Testbed
from pytest_ixy.testbed import Hosts

FATAL = frozenset({"panic", "oops", "bug"})
LIMIT, SHOWN = 1 << 20, 3


@dataclass(frozen=True)
class Told:
    """What the nodes told: the roles' runs completed, and records of the nodes, by name."""

    runs: dict[str, Run]
    nodes: Mapping[str, NodeRecord]


class Aftermath:
    """The nodes around one trial; `begin` before the roles start, `end` when what they captured has come.

    Args:
        testbed: Their testbed.
        hosts: Their connections.
        folder: The bundle's.
    """

    def __init__(self, testbed: Testbed, hosts: Hosts, folder: Path) -> None:
        self._testbed, self._folder = testbed, folder
        self._spoken: dict[str, int] = {}
        # on the node, where a name of its own is all the safety that is needed
        cores = f"/var/tmp/ixy-cores-{testbed.run}-{time.monotonic_ns()}"  # noqa: S108
        self._probe = Probe(hosts, testbed.topology, cores)

    def begin(self) -> None:
        """Look at the nodes; LabError when one lacks what every program needs."""
        self._probe.look()
        consoles = {node.name: Path(node.console) for node in self._testbed.nodes if node.console}
        self._spoken = {name: path.stat().st_size for name, path in consoles.items() if path.exists()}

    def explained(self, error: LabError) -> LabError:
        """The error, with what a console tells of the end of its machine."""
        words = [
            f"The console of {node.name} says: {event.lines[0]}"
            for node in self._testbed.nodes
            for event in events(self._console(node))
            if event.kind in FATAL
        ]
        return LabError(" ".join([error.what, *map(one_line, words[:SHOWN])]), hint=error.hint)

    def _console(self, node: NodeRecord) -> str:
        """What the node has said since the trial began."""
        if node.console is None or not Path(node.console).exists():
            return ""
        with Path(node.console).open("rb") as stream:
            stream.seek(self._spoken.get(node.name, 0))
            return stream.read(LIMIT).decode("utf-8", "replace")

    def end(self, runs: Mapping[str, Run], where: Mapping[str, str], captures: str) -> Told:
        """Look at the nodes again, ask after crashes, and put the nodes back in order.

        Args:
            runs: How the roles went; a role that was started twice has a second name.
            where: Their nodes, by the same names.
            captures: How the names of files on the nodes begin that roles captured to; they are removed.

        Raises:
            LabError: a node was lost.
        """
        self._probe.look_again(captures)
        kernels = {name: self._keep_kernel(name) for name in self._probe.after}
        explained = {name: self._examined(name, run, where[name]) for name, run in runs.items()}
        untidy = self._probe.tidy()
        records = {node.name: self._record(node, kernels, untidy) for node in self._testbed.nodes}
        return Told(explained, records)

    def _examined(self, name: str, run: Run, node: str) -> Run:
        """The run with what is known of its crash, if it crashed."""
        scene = Scene(self._probe.hosts[node], self._probe.after[node], name, self._folder)
        return postmortem.examine(scene, run)

    def _record(
        self, node: NodeRecord, kernels: Mapping[str, str | None], untidy: Mapping[str, tuple[str, ...]]
    ) -> NodeRecord:
        return node.model_copy(
            update={
                "spoken": self._spoken.get(node.name, 0),
                "kernel": kernels[node.name],
                "before": self._probe.before[node.name],
                "after": self._probe.after[node.name].state,
                "untidy": untidy.get(node.name, ()),
            }
        )

    def _keep_kernel(self, node: str) -> str | None:
        """Write what that kernel said into the bundle; its name there."""
        said = self._probe.after[node].kernel.strip("\n")
        if not said:
            return None
        file = self._folder / "consoles" / f"{node}.kernel"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(plain(said) + "\n", encoding="utf-8", errors="replace")
        return str(file.relative_to(self._folder))
