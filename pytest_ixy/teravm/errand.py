"""What one step runs on one host: all of it before one deadline, all of it in the step's log."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.bundle import Exit
from pytest_ixy.errors import IxyError, LabError
from pytest_ixy.printable import one_line, plain
from pytest_ixy.providers.static.line import spell
from pytest_ixy.remote import Host, Process

MARK = "ixy: "
"""How lines begin that are meant for us: a login may print others."""
_NOISE = (MARK, "(Reading database")
SHOWN, WIDEST = 15, 300
SYSTEM = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n"


@dataclass(frozen=True)
class Answer:
    """What a command has said.

    Attributes:
        status: Its exit status.
        text: The last 64 KiB of stdout and stderr.
    """

    status: int | None
    text: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status == 0

    @property
    def lines(self) -> list[str]:
        """The lines that are meant for us, without their mark."""
        found = [line for line in self.text.splitlines() if line.startswith(MARK)]
        return [one_line(line.removeprefix(MARK).rstrip())[:WIDEST] for line in found]

    @property
    def last(self) -> str:
        """The last lines of the others, fit to be shown."""
        return last(self.text)


def last(text: str, lines: int = SHOWN) -> str:
    """The last lines that are not blank and not meant for us, fit to be shown."""
    found = [line for line in text.splitlines() if line.strip() and not line.startswith(_NOISE)]
    return "\n".join(plain(line)[:WIDEST] for line in found[-lines:])


@dataclass(frozen=True)
class Errand:
    """Runs commands on a host.

    Attributes:
        host: Where.
        log: What they print is appended to this local file.
        root: Whether they are run as root.
        span: Seconds that all of them may take.
        end: When that time is over, by the monotonic clock.
    """

    host: Host
    log: Path
    root: bool
    span: float
    end: float

    @classmethod
    def begin(cls, host: Host, log: Path, span: float, *, root: bool) -> Errand:
        """The same with its time beginning now."""
        return cls(host, log, root, span, time.monotonic() + span)

    def again(self) -> Errand:
        """Another with as much time, for putting things back."""
        return Errand.begin(self.host, self.log, self.span, root=self.root)

    @property
    def left(self) -> float:
        """Seconds until the time is over."""
        return self.end - time.monotonic()

    def run(self, command: str, title: str, **variables: str) -> Answer:
        """Run `command` by bash in the user's home, with these variables; `title` heads its log.

        When this process is interrupted, the command is ended before anything else is done.

        Raises:
            LabError: the host is lost, or the time is over; then the command has been ended.
        """
        self.note(title)
        given = {"LC_ALL": "C", **variables}
        try:
            process = self.host.start(SYSTEM + command, environment=given, root=self.root, log=self.log)
            ended = self._await(process)
        except LabError as error:
            raise self._lost(title, error) from error
        text = process.output.replace("\r\n", "\n")
        if ended is None:
            raise self.trouble(f"`{one_line(title)}` did not end: {spell(self.span)} were over.", text)
        return Answer(ended.status, text)

    def _await(self, process: Process) -> Exit | None:
        """How it ended, or None when the time was over; whatever happens, it does not run any more."""
        try:
            ended = process.wait(max(self.left, 0.0), whole=False)
            (process.release if ended else process.stop)()
        except BaseException:
            with suppress(IxyError):
                process.stop()
            raise
        finally:
            process.close()
        return ended

    def _lost(self, title: str, error: LabError) -> LabError:
        """The error with the command's title in place of the command, which is a script."""
        why = self.host.lost
        if not why:
            return error
        return LabError(f"lost node {self.host.name}: {why} while `{one_line(title)}` ran", hint=error.hint)

    def note(self, title: str) -> None:
        """A line in the log; LabError when it cannot be written."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as stream:
                stream.write(f"--- {one_line(title)}\n")
        except OSError as error:
            raise LabError(f"cannot write {self.log}: {error.strerror}") from error

    def trouble(self, what: str, text: str = "", *, hint: str = "") -> LabError:
        """It could not be told: with the node's name, and the last lines of a text."""
        return LabError(self.words(what, text), hint=hint)

    def words(self, what: str, text: str = "") -> str:
        """A message that names the node."""
        return f"node {self.host.name}: {what}\n{last(text)}".rstrip()
