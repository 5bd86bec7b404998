"""One run of a list, detached on the controller: started, looked at, stopped."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.remote.number import read_number
from pytest_ixy.teravm.controller import Controller

PIECE = 22_000
"""Bytes of a file that are had at once: coded, those of two must fit in what a command may answer."""
TERM = 10.0
"""Seconds that the program may take to end on TERM before it is killed."""


@dataclass(frozen=True)
class Place:
    """How far the run's own log has been read: which file that is, and up to where."""

    inode: str = "0"
    offset: int = 0


@dataclass(frozen=True)
class Glance:
    """What there was to see.

    Attributes:
        over: Whether the program has ended.
        status: Its exit status, if it left one.
        out: What it printed, from where was asked.
        plan: The same of the run's log.
        inode: Which file that is; `0` for none.
    """

    over: bool
    status: int | None
    out: bytes
    plan: bytes
    inode: str


class Detached:
    """A run of a list. It goes on without us; files on the controller tell how.

    Args:
        controller: Where.
        id_: Nobody else's; a plain word.
    """

    def __init__(self, controller: Controller, id_: str) -> None:
        self.controller, self.id = controller, id_

    def start(self, run: str, name: str, words: Sequence[str]) -> None:
        """Start it and leave the mark; nothing where that has been done.

        Raises:
            LabError: it cannot be started.
        """
        table = self.controller.table
        said = self._ask("start", run, name, table.folder, table.program, *words)
        if "started" not in {word for word, _ in said}:
            raise LabError(f"The list {name} did not start, and the controller gave no reason.")

    def look(self, offset: int, place: Place, wait: float) -> Glance:
        """What is new, as soon as anything is, or after `wait` seconds; LabError when that cannot be told."""
        table = self.controller.table
        logs = posixpath.join(table.folder, table.run_logs)
        tenths = str(round(wait * 10))
        asked = (str(offset), logs, place.inode, str(place.offset), tenths, str(PIECE))
        said = dict(self._ask("peek", *asked))
        state, _, status = said.get("state", "").partition(" ")
        inode, _, plan = said.get("plan", "0").partition(" ")
        return Glance(
            over=state != "runs",
            status=read_number(status) if state == "ended" else None,
            out=_bytes(said.get("out", "")),
            plan=_bytes(plan),
            inode=one_line(inode)[:40],
        )

    def stop(self) -> None:
        """End all that it started, by TERM and then by KILL; LabError when something survives."""
        said = self.controller.ask(self.id, "stop", str(round(TERM * 10)), timeout=6 * TERM)
        if left := next((rest for word, rest in said if word == "left"), ""):
            raise LabError(f"Processes of the list cannot be ended: {one_line(left)[:200]}")

    def forget(self) -> None:
        """Remove its files."""
        self._ask("forget")

    def _ask(self, *words: str) -> list[tuple[str, str]]:
        return self.controller.ask(self.id, *words)


def _bytes(coded: str) -> bytes:
    try:
        return base64.b64decode(coded, validate=True)
    except ValueError as error:
        raise LabError("The controller of the tester sent a log that cannot be decoded.") from error
