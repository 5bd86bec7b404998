"""A process on a node, in a session of its own that ends as a whole."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, cast

from pytest_ixy.bundle import Exit
from pytest_ixy.errors import LabError
from pytest_ixy.remote.control import Control
from pytest_ixy.remote.link import BROKEN
from pytest_ixy.remote.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_ixy.remote.link import Link
    from pytest_ixy.remote.order import Order

START = 60.0
"""Seconds until the node must have started a command."""
DRAIN = 2.0
"""Seconds to wait for the rest of the output once the process has ended."""
SLACK = 20.0
"""Seconds that the answer to `stop` may come late, on a node without a free CPU."""
SHARES = (0.5, 0.2, 0.15)
"""Of the time to stop in, for INT, TERM and KILL."""
_QUIET = 0.1
_CHUNK = 64 * 1024

Signal = Literal["INT", "TERM", "KILL"]


@dataclass(frozen=True)
class Stopped:
    """How a process's session was ended.

    Attributes:
        needed: The signal that ended it; None when it had ended by itself.
        stragglers: Names of processes that outlived it and were killed.
    """

    needed: Signal | None
    stragglers: tuple[str, ...] = ()


class Process:
    """A command that runs on a node; made by `Host.start`.

    Its output is appended to `log` as it comes, and its end is kept in `output`. Both are complete
    after `stop` or `close`. The node stops the process by itself when the connection ends.

    Attributes:
        log: The file that the output goes to, if any.
        session: Session number on the node.
    """

    def __init__(self, link: Link, order: Order, log: Path | None) -> None:
        encoded = order.encode()
        self._link = link
        self._title = order.title
        self._output = _open_output(log)
        self._control = Control()
        self.log = log
        self._began = time.monotonic()
        self._finished: float | None = None
        self._stopped: Stopped | None = None
        try:
            self._channel = link.shell(_supervisor(), root=order.root, session=True)
        except BaseException:
            self._output.close()
            raise
        self._threads = [
            self._spawn("output", self._channel.recv, self._output.feed),
            self._spawn("control", self._channel.recv_stderr, self._control.feed),
        ]
        try:
            self._await_start(encoded)
        except BaseException:
            self.close()
            raise

    @property
    def session(self) -> int:
        """Its session number on the node."""
        return self._control.session or 0

    @property
    def output(self) -> str:
        """The last 64 KiB of its output so far."""
        return self._output.tail

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        return (self._finished or time.monotonic()) - self._began

    def poll(self, *, whole: bool = True) -> Exit | None:
        """How it ended, or None while it runs; if it shall be `whole`, also while output may still come.

        Raises:
            LabError: the node is lost, or its output can no longer be stored.
        """
        self._check_log()
        if self._control.exit is None and self._control.ended:
            self._judge_silence()
        if self._control.exit is None:
            return None
        self._finished = self._finished or time.monotonic()
        return self._control.exit if not whole or self._is_quiet(self._finished) else None

    def wait(self, timeout: float, *, whole: bool = True) -> Exit | None:
        """The same as `poll`, after waiting for at most `timeout` seconds."""
        end = time.monotonic() + timeout
        while (ended := self.poll(whole=whole)) is None and (left := end - time.monotonic()) > 0:
            with self._control.changed:
                if self._control.exit or self._control.ended:
                    self._control.changed.wait(min(left, _QUIET / 2))
                else:
                    self._control.changed.wait(min(left, 1.0))
        return ended

    def stop(self, deadline: float = 10.0) -> Stopped:
        """End the whole session within `deadline` seconds: INT, then TERM, then KILL.

        Also right for a process that has ended: what it left behind is killed and named.

        Raises:
            LabError: the node is lost, or a process does not even end on KILL.
        """
        if self._stopped is None:
            self._stopped = self._end_session(deadline, SHARES)
            self._finish()
        return self._stopped

    def kill(self, deadline: float = 10.0) -> Stopped:
        """End the whole session by KILL alone; else as `stop`."""
        if self._stopped is None:
            self._stopped = self._end_session(deadline, (0.0, 0.0, 1.0))
            self._finish()
        return self._stopped

    def release(self) -> None:
        """Let an ended process go; what it started in the background is left running."""
        self._finish()

    def close(self) -> None:
        """Let go of the process: if it still runs, the node stops it by itself."""
        with suppress(*BROKEN):
            self._channel.close()
        for thread in self._threads:
            thread.join(5)

    def _spawn(
        self, what: str, receive: Callable[[int], bytes], feed: Callable[[bytes], None]
    ) -> threading.Thread:
        def drain() -> None:
            with suppress(*BROKEN):
                while data := receive(_CHUNK):
                    feed(data)
            feed(b"")

        thread = threading.Thread(target=drain, name=f"ixy-{what}-{self._link.access.name}", daemon=True)
        thread.start()
        return thread

    def _await_start(self, encoded: bytes) -> None:
        control = self._control
        self._send(encoded)
        started = self._await(lambda: bool(control.session or control.refused or control.ended), START)
        self._check_sense()
        if control.refused:
            raise LabError(f"node {self._name}: cannot run `{self._title}`: {control.refused}")
        if control.session is None and self._link.lost():
            raise self._link.failure(f"while `{self._title}` was started")
        if not started or control.session is None:
            words = " ".join(control.words) or "the node gave no reason"
            raise LabError(
                f"node {self._name}: cannot run `{self._title}`: {words}",
                hint="it needs bash, setsid (util-linux) and, for root's rights, sudo without password",
            )

    @property
    def _name(self) -> str:
        return self._link.access.name

    def _send(self, data: bytes) -> None:
        """Tell the supervisor; that it is gone shows in its own stream, with the reason."""
        with suppress(*BROKEN):
            self._channel.sendall(data)

    def _await(self, condition: Callable[[], bool], timeout: float) -> bool:
        with self._control.changed:
            return self._control.changed.wait_for(condition, timeout)

    def _end_session(self, deadline: float, shares: tuple[float, float, float]) -> Stopped:
        control = self._control
        graces = [int(deadline * share * 100) for share in shares]
        self._send(f"stop {graces[0]} {graces[1]} {graces[2]}\n".encode())
        self._await(lambda: control.stopped or control.ended, deadline + SLACK)
        if not control.stopped:
            self._judge_silence()
            return Stopped(None)
        if control.left:
            raise LabError(
                f"node {self._name}: `{self._title}` survives SIGKILL: {', '.join(control.left)}",
                hint="the node's kernel holds it; use a fresh machine, and see its console",
            )
        self._await(lambda: bool(control.exit) or control.ended, SLACK)
        return Stopped(cast("Signal | None", control.needed), tuple(control.stragglers))

    def _judge_silence(self) -> None:
        """The supervisor is gone without a word: the node is lost, or all was killed with it.

        Raises:
            LabError: the node is lost or does not answer.
        """
        self._check_sense()
        if self._link.lost_soon() or not self._control.ended:
            raise self._link.failure(f"while `{self._title}` ran")
        self._control.exit = Exit(status=137, signal="SIGKILL")

    def _check_sense(self) -> None:
        if self._control.nonsense:
            raise LabError(
                f"node {self._name}: `{self._title}`: {self._control.nonsense}",
                hint="something on the node answers in the place of what was started there",
            )

    def _is_quiet(self, since: float) -> bool:
        """True when the last output has come: it travels apart from the news of the end."""
        now = time.monotonic()
        return now - self._output.last > _QUIET or now - since > 1.0 or self._channel.closed

    def _check_log(self) -> None:
        if error := self._output.error:
            raise LabError(
                f"cannot write {self.log}: {error.strerror}", hint="free some space where the artifacts go"
            )

    def _finish(self) -> None:
        self._finished = self._finished or time.monotonic()
        self._send(b"release\n")
        end = time.monotonic() + DRAIN  # what a daemon that holds the output open still says is not awaited
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0.0))
        self.close()


@cache
def _supervisor() -> str:
    text = files("pytest_ixy.remote").joinpath("supervisor.bash").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _open_output(log: Path | None) -> Output:
    try:
        return Output(log)
    except OSError as error:
        raise LabError(f"cannot write {log}: {error.strerror}") from error
