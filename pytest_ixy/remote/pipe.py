"""A script on a node that reads or writes a stream, with a deadline for the whole."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.remote.control import MARK, REFUSED
from pytest_ixy.remote.link import BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_ixy.remote.link import Link

_CHUNK = 256 * 1024
_WORDS = 4096
_SILENT = -1
"""What paramiko has for a status when none came: killed by a signal, or the connection broke."""
_PATIENCE = 10.0
"""Seconds that the node's own words may take to come once the stream has broken."""


class RemoteFileMissing(LabError):  # noqa: N818 - named after what it says
    """There is no such file on the node."""


@dataclass(frozen=True)
class Task:
    """What a pipe is for: words for messages ("reading a.pcap"), seconds for all of it, whose rights."""

    doing: str
    timeout: float
    root: bool


class Pipe:
    """A channel with a script at its other end; as a context manager it is always closed.

    Args:
        link: The node.
        task: What the script does, and its deadline.
        script: For `bash -c`, with `arguments` as $1, $2, …
        arguments: Handed over as they are, whatever is in them.
    """

    def __init__(self, link: Link, task: Task, script: str, *arguments: str) -> None:
        self._link = link
        self._task = task
        self._end = time.monotonic() + task.timeout
        self._words = b""
        self._channel = link.shell(script, *arguments, root=task.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(*BROKEN):
            self._channel.close()

    def send(self, pieces: Iterable[bytes], progress: Callable[[int], None] | None) -> None:
        """Send all of it and the end of the stream; `progress` is told the bytes so far."""
        done = 0
        for piece in pieces:
            if not self._send(piece):
                return  # the script ended early; finish() says with which words
            done += len(piece)
            if progress:
                progress(done)
            self._check_time()
        with suppress(*BROKEN):  # finish() says why
            self._channel.shutdown_write()

    def receive(self) -> Iterator[bytes]:
        """What the script writes, until its end."""
        while piece := self._receive():
            yield piece
            self._check_time()

    def header(self) -> list[str]:
        """The words of the first line of ours on stderr.

        Raises:
            LabError: the script ended without it.
        """
        while True:
            for line in self._words.split(b"\n")[:-1]:
                text = line.decode("utf-8", "replace")
                if text.startswith(MARK) and not text.startswith(REFUSED):
                    self._words = b""
                    return text.removeprefix(MARK).split()
            if not self._listen():
                raise self.failure(self._text())

    def status(self) -> int:
        """The script's exit status."""
        if not self._channel.status_event.wait(self._left()):
            raise self._late()
        return self._channel.exit_status

    def finish(self) -> None:
        """Wait for the script's end.

        Raises:
            LabError: it failed; the message has the node's own words.
        """
        status = self.status()
        if status == 0:
            return
        if status == _SILENT and self._link.lost_soon():
            raise self.failure("the connection broke")
        self._end = max(self._end, time.monotonic() + _PATIENCE)
        while len(self._words) < _WORDS and self._listen():
            pass
        raise self.failure(self._text() or f"status {status}")

    def failure(self, why: str) -> LabError:
        """The error for a stream that broke."""
        if self._link.lost():
            return self._link.failure(f"while {self._task.doing}")
        full = "No space left" in why or "quota exceeded" in why
        hint = "the node's disk is full: give its machine a larger one, or remove something" if full else ""
        return LabError(f"node {self._link.access.name}: {self._task.doing}: {why}", hint=hint)

    def _send(self, piece: bytes) -> bool:
        try:
            self._channel.settimeout(self._left())
            self._channel.sendall(piece)
        except TimeoutError as error:
            raise self._late() from error
        except BROKEN:
            return False
        return True

    def _receive(self) -> bytes:
        try:
            self._channel.settimeout(self._left())
            return self._channel.recv(_CHUNK)
        except TimeoutError as error:
            raise self._late() from error
        except BROKEN:
            return b""  # the stream's end; finish() says why

    def _listen(self) -> bool:
        try:
            self._channel.settimeout(self._left())
            heard = self._channel.recv_stderr(_WORDS)
        except TimeoutError as error:
            raise self._late() from error
        except BROKEN:
            heard = b""
        self._words += heard
        return bool(heard)

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.01)

    def _check_time(self) -> None:
        """A stream that keeps flowing never runs into a channel's own timeout."""
        if time.monotonic() > self._end:
            raise self._late()

    def _late(self) -> LabError:
        return self.failure(f"not done in {self._task.timeout:g} s")

    def _text(self) -> str:
        said = self._words.decode("utf-8", "replace").splitlines()
        lines = [line.removeprefix(REFUSED) for line in said]
        return one_line("; ".join(line for line in lines if not line.startswith(MARK)))[:500]
