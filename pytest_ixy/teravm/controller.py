"""The tester's controller: what is asked of it, over a connection that may break at any moment."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from pytest_ixy.errors import LabError
from pytest_ixy.labtable import Ng40Table
from pytest_ixy.printable import one_line, plain
from pytest_ixy.remote import Completed, Host, RemoteFileMissing

T = TypeVar("T")

ANSWER = 120.0
"""Seconds that the controller may take to answer a small question."""
STATE = 300.0
"""Seconds that the tester may take to tell whether it is idle, or to be cleaned up."""
TRIES = 10
"""Connections in a row over which nothing could be asked."""
_SAYS = "ixy: "
_SHOWN = 5


@dataclass(frozen=True)
class Mark:
    """What lies on the controller while a list runs."""

    run: str
    name: str
    id: str


class Controller:
    """What can be asked of it.

    Args:
        reach: Gives a live connection, a new one when the last one broke.
        table: `[lab.ng40]`.
        say: Told in a line when a connection broke.
    """

    def __init__(self, reach: Callable[[], Host], table: Ng40Table, say: Callable[[str], None]) -> None:
        self._reach, self.table, self._say = reach, table, say

    def steadily(self, work: Callable[[Host], T]) -> T:
        """Do something that may be done again, over another connection when one breaks.

        Raises:
            LabError: it fails over a connection that stands, or there is none to be had.
        """
        for left in reversed(range(TRIES)):
            host = self._reach()
            try:
                return work(host)
            except RemoteFileMissing:
                raise
            except LabError:
                if not host.lost_soon() or not left:
                    raise
                self._say(
                    "the connection to the controller broke; what runs there goes on, a new one is made"
                )
        raise AssertionError

    def ask(self, id_: str, *words: str, timeout: float = ANSWER) -> list[tuple[str, str]]:
        """Have one of the script's functions called; its answers, each a word and the rest.

        Raises:
            LabError: the controller cannot do it, or does not answer.
        """
        done = self._call(id_, words, timeout, None)
        lines = [line for line in done.output.splitlines() if line.startswith(_SAYS)]
        answers = [line.removeprefix(_SAYS).partition(" ")[::2] for line in lines]
        if why := next((rest for word, rest in answers if word == "failed"), ""):
            raise LabError(f"The controller of the tester cannot do it: {one_line(why)[:300]}")
        if not done.ok:
            raise LabError(f"The controller of the tester gave no answer to `{words[0]}`: {last(done)}")
        return answers

    def state(self, log: Path | None) -> str:
        """Why the tester is not idle, in its own words; empty when it is.

        Raises:
            LabError: the program cannot be run.
        """
        done = self._program((self.table.program, self.table.state), log)
        if done.ok:
            return ""
        if done.timed_out:
            return f"it did not tell in {STATE:.0f} s"
        return last(done) or f"status {done.exit.status}"

    def clean(self, log: Path | None) -> None:
        """Force all that the tester does to an end; LabError when that fails."""
        done = self._program(tuple(self.table.cleanup), log)
        if not done.ok:
            how = f"did not end in {STATE:.0f} s" if done.timed_out else f"has status {done.exit.status}"
            raise LabError(f"The forced clean-up of the tester {how}: {last(done)}")

    def mark(self) -> Mark | None:
        """What a run left that was cut off while a list ran."""
        lines = [rest for word, rest in self.ask("", "marked") if word == "mark"]
        if not lines:
            return None
        run, name, id_ = (one_line(line)[:100] for line in [*lines, "", "", ""][:3])
        return Mark(run, name, id_)

    def unmark(self) -> None:
        """Take that away."""
        self.ask("", "unmark")

    def _program(self, words: tuple[str, ...], log: Path | None) -> Completed:
        done = self._call("", ("as_user", self.table.folder, *words), STATE, log)
        lines = done.output.splitlines()
        if why := next((line for line in lines if line.startswith(f"{_SAYS}failed ")), ""):
            raise LabError(f"The tester's controller: {one_line(why.removeprefix(f'{_SAYS}failed '))[:300]}")
        if done.exit.missing:
            raise LabError(
                f"The controller of the tester cannot run {words[0]}: {last(done)}",
                hint=f"it is looked for as after a login (bash -l), in {self.table.folder}; see [lab.ng40]",
            )
        return done

    def _call(self, id_: str, words: tuple[str, ...], timeout: float, log: Path | None) -> Completed:
        command = f"{script()}\n{shlex.join(words)}"

        def call(host: Host) -> Completed:
            given = {"PLACE": host.access.folder, "ID": id_}
            return host.run(command, timeout=timeout, environment=given, log=log)

        return self.steadily(call)


def last(done: Completed) -> str:
    """The last lines of what a command said, as one."""
    lines = [one_line(line.strip()) for line in plain(done.output).splitlines() if line.strip()]
    return "; ".join(lines[-_SHOWN:])[-500:]


@cache
def script() -> str:
    """The functions that are called there."""
    return files("pytest_ixy.teravm").joinpath("tester.bash").read_text(encoding="utf-8")
