"""Look at the nodes before the roles start and after they have ended, and put the nodes back in order.

One call to each node, all at once: the scripts beside this file are run there as root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

from pytest_ixy.errors import LabError
from pytest_ixy.leftovers import Leftovers, leftovers
from pytest_ixy.nodestate import NodeState
from pytest_ixy.parallel import all_at_once
from pytest_ixy.printable import one_line
from pytest_ixy.probe.read import Core, Seen, read
from pytest_ixy.testbed import close

if TYPE_CHECKING:
    from pytest_ixy.remote import Host
    from pytest_ixy.testbed import Hosts
    from pytest_ixy.topology import Node, Topology

__all__ = ["Core", "Probe", "Seen", "script"]

T = TypeVar("T")

TIMEOUT = 60.0
SHOWN = 500


@dataclass
class Probe:
    """The nodes of one trial, looked at.

    Attributes:
        hosts: Their connections.
        topology: Which NICs they have.
        cores: Folder on the nodes, of this trial's own, for core dumps.
        before: What state they were in, by node.
        after: The same when the roles had ended, with what the kernel had said and the core dumps.
    """

    hosts: Hosts
    topology: Topology
    cores: str
    before: Mapping[str, NodeState] = field(default_factory=dict)
    after: Mapping[str, Seen] = field(default_factory=dict)

    def look(self) -> None:
        """Before the roles start; from now on what crashes leaves a core dump.

        Raises:
            LabError: a node was lost, or has no such NIC: no program could do without.
        """
        seen = self._everywhere(lambda node: self._ask(node, "look.sh"))
        self.before = {name: read(said).state for name, said in seen.items()}
        for node in self.topology.nodes:
            for nic in node.nics:
                if self.before[node.name].without(nic.pci):
                    raise LabError(
                        f"The node of {node.name} has no device at PCI address {nic.pci} ({nic.variable}).",
                        hint="see where the provider put it: [test.pci_addresses] in config.toml",
                    )

    def look_again(self, captures: str) -> None:
        """After the roles have ended, once more if something seems to run on: it may be about to end.

        Args:
            captures: How the names of files on the nodes begin that roles captured to; they are removed.
        """
        self.after = self._everywhere(lambda node: self._after(node, captures))

    def tidy(self) -> dict[str, tuple[str, ...]]:
        """Put back what a role left otherwise than it found it; what could not be, in words, by node."""
        return {name: found for name, found in self._everywhere(self._tidy).items() if found}

    def left(self, node: str) -> Leftovers:
        """What is otherwise on a node than before."""
        return leftovers(self.before[node], self.after[node].state)

    def _everywhere(self, work: Callable[[Node], T]) -> dict[str, T]:
        jobs = {node.name: lambda node=node: work(node) for node in self.topology.nodes}
        return all_at_once(jobs, abort=lambda: close(self.hosts))

    def _after(self, node: Node, captures: str) -> Seen:
        seen = read(self._ask(node, "look.sh", "after.sh", "forget.sh", AFTER="1", CAPTURES=captures))
        if not leftovers(self.before[node.name], seen.state).processes:
            return seen
        again = read(self._ask(node, "look.sh", AFTER="1")).state
        return Seen(again, seen.kernel, seen.cores)

    def _tidy(self, node: Node) -> tuple[str, ...]:
        left = self.left(node.name)
        cores = self.cores if self.after[node.name].cores else ""
        if not (left.processes or left.files or left.devices or cores):
            return ()
        said = self._ask(
            node,
            "tidy.sh",
            STRAYS=" ".join(str(process.pid) for process in left.processes),
            FILES="\n".join(left.files),
            DRIVERS=" ".join(f"{device.pci}={device.driver}" for device, _ in left.devices),
            CORES=cores,
        )
        return tuple(one_line(line)[:SHOWN] for line in said.splitlines()[:10])

    def _ask(self, node: Node, *scripts: str, **more: str) -> str:
        """What those scripts print, run one behind the other by one shell."""
        given = {"NICS": " ".join(nic.pci for nic in node.nics), "CORES": self.cores, "AFTER": ""}
        known = self.before.get(node.name)
        given["PATTERN"] = known.core_pattern if known else "core"
        host: Host = self.hosts[node.name]
        text = "\n".join(map(script, scripts))
        done = host.run(text, timeout=TIMEOUT, root=True, environment={**given, **more})
        if not done.ok:  # half an answer would make strays of what was not told
            last = one_line(done.output[-SHOWN:])
            raise LabError(
                f"The node of {node.name} did not tell in {TIMEOUT:.0f} s what state it is in: {last}"
            )
        return done.output


@cache
def script(name: str) -> str:
    """A script of this folder."""
    return files("pytest_ixy.probe").joinpath(name).read_text(encoding="utf-8")
