"""Whether the testbed is held when pytest ends (`--ixy-keep`), and what the user is told then."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_ixy import runs, shell
from pytest_ixy.crowd import Crowd
from pytest_ixy.errors import LabError
from pytest_ixy.holding.owner import HoldingOwner
from pytest_ixy.providers.base import Provider, Testbed
from pytest_ixy.runs import Visit
from pytest_ixy.settings import Settings
from pytest_ixy.subjects import label_in, label_of
from pytest_ixy.testbed import Owner, Workspace
from pytest_ixy.timespan import clock

FAILED = {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERNAL_ERROR}


def owner(settings: Settings, workspace: Workspace, provider: Provider, *, apart: bool) -> Owner:
    """Who owns the testbed: a holder where it may be held or several are made at once, else this process.

    What a thread makes cannot be interrupted, and a process can.
    """
    kind = HoldingOwner if apart or settings.keep != "never" else Owner
    return kind(workspace, provider)


def open_doors(workspace: Workspace, testbed: Testbed, folder: Path) -> Testbed:
    """Write down how to visit the testbed, for the other commands; the testbed, as it is."""
    shell.write_known_hosts(workspace.scratch, testbed.accesses)
    visit = Visit(
        run=workspace.run,
        folder=str(folder.absolute()),
        scratch=str(workspace.scratch),
        began=time.time(),
        accesses=testbed.accesses,
        consoles={node.name: node.console for node in testbed.nodes if node.console},
    )
    runs.write(workspace.book, visit)
    return testbed


class Keeping:
    """Knows for which targets a test has failed, and holds testbeds.

    Attributes:
        terminated: True when the session was ended by SIGTERM: whoever sends that wants everything gone.
        crowd: Who else needs a place.
    """

    def __init__(self) -> None:
        self._failed: set[str | None] = set()
        self.terminated = False
        self.crowd = Crowd()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which targets have tests."""
        self.crowd.expect({label for item in session.items if (label := label_of(item))})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same, as a worker tells it."""
        self.crowd.expect({label for name in ids if (label := label_in(name, self.crowd.labels))})

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note for which target a test has failed."""
        if report.failed and not hasattr(report, "wasxfail"):
            self._failed.add(getattr(report, "ixy_target", None))

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Note whether anything else failed, which may have to do with any target."""
        others = session.testsfailed > 0 or exitstatus in FAILED
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR or (others and not self._failed):
            self._failed.add(None)
        self.crowd.expect(())

    def failed(self, label: str) -> bool:
        """Whether something failed that may have to do with that target."""
        return bool(self._failed & {label, None})

    def wants(self, settings: Settings, owner: Owner, *, failed: bool, say: Callable[[str], None]) -> bool:
        """Whether the testbed is to be held when the session is over; says so when there is no room."""
        wanted = not self.terminated and (settings.keep == "always" or (settings.keep == "failed" and failed))
        if not wanted or not isinstance(owner, HoldingOwner) or not _can_be_visited(owner):
            return False
        if not self.crowd.stay():
            say(f"the testbed of {owner.workspace.run} is not held: other targets need its place")
            return False
        return True

    def hold(self, settings: Settings, owner: Owner, say: Callable[[str], None]) -> bool:
        """Hold a testbed that is wanted, and tell how to visit it; False when it is not held."""
        if self.terminated or not isinstance(owner, HoldingOwner):
            return False
        try:
            visit = owner.hold(settings.keep_for.total_seconds())
        except (LabError, OSError) as error:
            say(f"the testbed is not held: {error}")
            return False
        for line in told(visit):
            say(line)
        return True


def _can_be_visited(owner: HoldingOwner) -> bool:
    return owner.made and bool(runs.read(owner.workspace.book.path).accesses)


def told(visit: Visit) -> Iterator[str]:
    """How to visit a held testbed and how to end it, ready to paste into a shell."""
    yield f"the testbed of {visit.run} is held until {clock(visit.until or 0)}"
    for node, access in visit.accesses.items():
        yield f"  {node}: {shlex.join(shell.words(access, Path(visit.scratch)))}"
    yield f"  as a role ran there:  pytest-ixy ssh {next(iter(visit.accesses))} --run {visit.run}"
    yield f"  logs and bundle:      {visit.folder}"
    yield f"  end it:               pytest-ixy release {visit.run}"
