"""Own a testbed: provision it with everything written down first, connect to it, take it down."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy import ledger, paths, sweep
from pytest_ixy.errors import LabError
from pytest_ixy.ledger import Ledger
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Provider, Testbed
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.topology import Topology

GREETING_TIMEOUT = 60.0


def run_id(scenario: str, target: str) -> str:
    """A name that no other run has and that sorts by time: `2026-11-21T20-12-07-forward-ixy-1f3a`."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    return f"{now}-{scenario}-{target}-{secrets.token_hex(2)}"


class Workspace:
    """The scratch folder of a run and the ledger of what the run makes.

    Attributes:
        run: Id of the run.
        book: Its ledger.
        scratch: Folder for disks, clones and the like; gone after `close`.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.book = ledger.create(run)
        self.scratch = paths.scratch_folder(run)
        self.book.intend("folder", str(self.scratch))
        try:
            self.scratch.mkdir(parents=True)
        except OSError as error:
            self.close()
            raise LabError(
                f"The folder {self.scratch} cannot be made: {error.strerror}.",
                hint="set XDG_CACHE_HOME to a folder that can be written to",
            ) from error

    def close(self) -> sweep.Swept:
        """Remove whatever the ledger still lists, and the ledger."""
        return sweep.settle(self.book)


def make(  # noqa: PLR0913, PLR0917
    provider: Provider,
    topology: Topology,
    settings: Settings,
    book: Ledger,
    scratch: Path,
    progress: Progress,
) -> Testbed:
    """Have the provider provision; what was half made is unmade before an error leaves."""
    try:
        return provider.provision(topology, settings, book, scratch, progress)
    except BaseException:
        provider.destroy()
        raise


def unmake(provider: Provider) -> None:
    """Unmake a testbed before a new one is made; LabError when a part of it is still there."""
    if errors := provider.destroy():
        raise LabError(f"The machines could not be taken down: {'; '.join(errors)}.")


class Owner:
    """The one process that provisions a testbed and takes it down again."""

    def __init__(self, workspace: Workspace, provider: Provider) -> None:
        self.workspace = workspace
        self.provider = provider

    def provision(self, topology: Topology, settings: Settings, progress: Progress) -> Testbed:
        """Make the topology real; what was half made is unmade before an error leaves.

        Raises:
            LabError: it could not be done.
        """
        space = self.workspace
        return make(self.provider, topology, settings, space.book, space.scratch, progress)

    def renew(self, topology: Topology, settings: Settings, progress: Progress) -> Testbed:
        """Unmake the testbed and provision it anew, under the same run.

        Raises:
            LabError: one of the two could not be done.
        """
        unmake(self.provider)
        return self.provision(topology, settings, progress)

    def interrupt(self) -> None:
        """Have another thread's `provision` give up, where that can be done."""

    def release(self) -> list[str]:
        """Unmake everything; the errors met, for the user to see."""
        return [*self.provider.destroy(), *self.workspace.close().errors]


Hosts = Mapping[str, Host]


def connect(testbed: Testbed, provider: Provider, settings: Settings, progress: Progress) -> Hosts:
    """Open the one connection to each node, all at once, and greet the nodes.

    Raises:
        LabError: a node was not reached in time, or is not as it should be.
    """
    hosts: dict[str, Host] = {}
    interrupted = threading.Event()

    def dead(node: str) -> str | None:
        return "interrupted" if interrupted.is_set() else provider.ended(testbed, node)

    def enter(node: str) -> None:
        access = testbed.accesses[node]
        host = Host.connect(access, deadline=settings.timeouts.connect, alive=lambda: dead(node))
        hosts[node] = host
        if interrupted.is_set():
            host.close()
        _greet(testbed, host)

    def tick(unfinished: list[str]) -> None:
        count = len(testbed.accesses)
        progress.tell(f"{count - len(unfinished)} of {count}, waiting for {', '.join(unfinished)}")

    with progress.phase("connect"):
        try:
            jobs = {node: lambda node=node: enter(node) for node in testbed.accesses}
            all_at_once(jobs, tick=tick, abort=interrupted.set)
        except BaseException:
            close(hosts)
            raise
    return hosts


def _greet(testbed: Testbed, host: Host) -> None:
    name = host.access.name
    if not (greeting := testbed.greetings.get(name)):
        return
    done = host.run(greeting.replace("{now}", f"{time.time():.3f}"), timeout=GREETING_TIMEOUT, root=True)
    if not done.exit.ok:
        raise LabError(f"{name} is not as it should be: {done.output.strip()[-500:] or 'no answer in time'}")


def close(hosts: Hosts) -> None:
    """Close the connections; what still runs on the nodes loses its terminal."""
    for host in hosts.values():
        host.close()
