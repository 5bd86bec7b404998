"""What a provider is, and the handle on what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pytest_ixy.bundle import NicRecord, NodeRecord, ProviderRecord
from pytest_ixy.ledger import Ledger
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Access
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Topology


@dataclass(frozen=True)
class Testbed:
    """A topology made real: plain data, so that it can be handed to another process.

    Attributes:
        run: Id of the run that owns it.
        topology: What was asked for.
        record: Where it is and on what it runs, for the manifest.
        nodes: The machines as they are, in the topology's order.
        accesses: How to reach each node over SSH.
        greetings: Shell commands that root runs on a node once after it is reached; `{now}` stands for
            the seconds since 1970.
        private: Whatever the provider needs to serve this handle later (JSON).
    """

    __test__ = False  # the name makes pytest look for tests in it

    run: str
    topology: Topology
    record: ProviderRecord
    nodes: tuple[NodeRecord, ...]
    accesses: Mapping[str, Access]
    greetings: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)


Counters = Mapping[str, tuple[NicRecord, ...]]
"""For each node its NICs with the frame counters of this moment."""


class Provider(Protocol):
    """Makes a topology real and unmakes it.

    `provision` and `destroy` are called by the process that owns the testbed; the other methods
    also by processes that were handed the `Testbed`, on an instance that provisioned nothing.
    """

    def check(self, settings: Settings) -> None:
        """Find what is wrong with the question, quickly and before anything is made.

        What the lab itself lacks is for `provision` to say.

        Raises:
            UsageError: no testbed of this provider can be what the settings ask for.
        """
        ...

    def capacity(self, settings: Settings) -> int | None:
        """How many testbeds can exist at once now, beside what there is; None where no limit is known."""
        ...

    def provision(
        self, topology: Topology, settings: Settings, book: Ledger, scratch: Path, progress: Progress
    ) -> Testbed:
        """Make it; everything is written into `book` first. LabError when it cannot be."""
        ...

    def destroy(self) -> list[str]:
        """Unmake everything that `provision` made, even half; the errors met, none raised."""
        ...

    def ended(self, testbed: Testbed, node: str) -> str | None:
        """Why the node is known to be dead, or None."""
        ...

    def begin_trial(self, testbed: Testbed) -> None:
        """Called before any role starts: the networks must hold no frame of an earlier trial."""
        ...

    def begin_traffic(self, testbed: Testbed) -> None:
        """Called before the role that sends starts: the place to hold it to the others' pace."""
        ...

    def end_traffic(self, testbed: Testbed) -> None:
        """Called before the roles are stopped."""
        ...

    def link(self, testbed: Testbed, node: str, number: int, *, up: bool) -> None:
        """Let the link of a node's NIC, counted from 0, come up or go down so that the node sees it.

        Raises:
            NotOfferedError: the provider cannot do that.
            LabError: it could not this time.
        """
        ...

    def counters(self, testbed: Testbed) -> Counters:
        """Frames counted from the network's side; empty where the provider cannot tell."""
        ...
