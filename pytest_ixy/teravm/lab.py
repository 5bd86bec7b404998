"""What is done in a TeraVM lab, step by step; each is asked for once and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pytest_ixy.errors import LabError
from pytest_ixy.labtable import LabTable, ListTable
from pytest_ixy.ng40 import names
from pytest_ixy.ng40.records import Expected, ListRecord
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.teravm import agw, feg, health, tag
from pytest_ixy.teravm.connect import Connection
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.hosts import AGW, NG40, Hosts
from pytest_ixy.teravm.tag import Tag
from pytest_ixy.teravm.tester import Tester
from pytest_ixy.testbed import Workspace

CURRENT = "current"
"""The tag of what is installed already: nothing is upgraded."""


Upgrade = Callable[[Host, Any, Tag, Path, Callable[[str], None]], Done]
"""Does something to a host: with its table, the build, a log, and who is told how far it is."""


class Lab:
    """The lab's machines and what can be done with them; UsageError for a tag that names no build.

    Attributes:
        hosts: The machines.

    Raises:
        UsageError: what is to be tested names no build, or the way to a host cannot be.
    """

    def __init__(
        self, table: LabTable, settings: Settings, space: Workspace, bundle: Path, progress: Progress
    ) -> None:
        if settings.tag != CURRENT:
            tag.check(settings.tag)
        self._table, self._settings, self._space = table, settings, space
        self._bundle, self._progress = bundle, progress
        self.hosts = Hosts(table, settings, space.book, space.scratch)
        self._connection: Connection | None = None
        self._tag: Tag | None = None
        reach = partial(self._host, NG40)
        self._tester = Tester(reach, table.ng40, bundle, progress.tell, progress.say, run=space.run)

    @property
    def version(self) -> str:
        """What is tested; empty while that is not known."""
        return self._tag.version if self._tag else ""

    def steps(self) -> Mapping[str, Callable[[Path], Done]]:
        """What can be done before the lists, by name, in order."""
        known = dict(self._steps())
        fegs = (one.name for one in self._table.feg)
        upgrade = self._settings.tag != CURRENT
        return {
            name: known[name]
            for name in names.steps(fegs, connect=self._table.connect is not None, upgrade=upgrade)
        }

    def _steps(self) -> Iterator[tuple[str, Callable[[Path], Done]]]:
        yield "connect", self._connect
        yield "lease", self._lease
        yield "tag", self._resolve
        yield "upgrade-agw", partial(self._on, AGW, agw.upgrade, self._table.agw)
        yield "health-agw", partial(self._on, AGW, health.agw, self._table.agw)
        for one in self._table.feg:
            yield f"upgrade-{one.name}", partial(self._on, one.name, feg.upgrade, one)
            yield f"health-{one.name}", partial(self._on, one.name, health.feg, one)
        yield "idle", self._idle

    def _on(self, node: str, work: Upgrade, table: Any, log: Path) -> Done:
        """Do something on a host, to or with the build that is tested."""
        return work(self._host(node), table, self._require_tag(), log, self._progress.tell)

    def _require_tag(self) -> Tag:
        if self._tag is None:
            raise LabError("The version that is to be tested is not known.")
        return self._tag

    def _host(self, node: str) -> Host:
        self._require_connection()
        return self.hosts.host(node)

    def _require_connection(self) -> None:
        if self._connection and (why := self._connection.ended()):
            raise LabError(f"The connection to the lab is gone: {why}")

    def _connect(self, log: Path) -> Done:
        if self._table.connect is None:
            raise LabError("There is no [lab.connect].")
        folder = self._settings.config.parent if self._settings.config else Path.cwd()
        connection = Connection(self._table.connect, folder, self._space.book, self._space.scratch, log)
        self._connection = connection
        connection.up(self._progress.tell)
        return Done(f"{self._table.connect.kind}: the connection to the lab stands")

    def _lease(self, _log: Path) -> Done:
        try:
            notes = self.hosts.lease(self._progress)
        except LabError:
            self._require_connection()  # whose end says more than a host that cannot be reached
            raise
        return Done(f"the lab is ours: {', '.join(self.hosts.ways)}", notes=tuple(notes))

    def _resolve(self, log: Path) -> Done:
        asked = self._settings.tag
        if asked == CURRENT:
            self._tag = tag.installed(self._host(AGW), self._table.agw, log)
            return Done(f"{self._tag.version} is installed, and stays", {"version": self._tag.version})
        self._tag = tag.resolve(self._host(AGW), self._table.agw, asked, log)
        return Done(f"{asked} is {self._tag.version}", {"version": self._tag.version})

    def _idle(self, log: Path) -> Done:
        return self._tester.idle(log)

    def run(
        self,
        asked: ListTable,
        expected: Expected,
        log: Path,
        keep: Callable[[ListRecord], None],
        *,
        check: bool,
    ) -> ListRecord:
        """Run a test list; LabError when that cannot be.

        Args:
            asked: The list.
            expected: The cases that it is known to hold.
            log: For what is run beside it.
            keep: Given what is known when somebody interrupts it.
            check: Whether to see first that the tester is idle.
        """
        if check:
            self._tester.idle(log)
        return self._tester.run(asked, expected.cases, keep)

    def again(self, asked: ListTable, ran: ListRecord) -> ListRecord:
        """The record of a list with its failed cases run once more, where that is asked for."""
        return self._tester.again(asked, ran)

    def close(self) -> list[str]:
        """Stop what runs, give the hosts back, end the connection; what went wrong, none raised."""
        self.hosts.hurry()
        errors = [*self._tester.abandon(), *self.hosts.free()]
        return errors + (self._connection.down() if self._connection else [])
