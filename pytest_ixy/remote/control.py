"""What the supervisor on the node says about the process that it runs."""

from __future__ import annotations

import threading
from collections import deque

from pytest_ixy.bundle import Exit
from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.remote.exits import read_exit
from pytest_ixy.remote.number import read_number

MARK = "ixy: "
REFUSED = f"{MARK}refused "
_KEPT = 20


class Control:
    """The supervisor's messages so far; fed by a thread, awaited by another.

    A supervisor that talks nonsense counts as ended; `nonsense` says what it said.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.session: int | None = None
        self.refused: str | None = None
        self.exit: Exit | None = None
        self.needed: str | None = None
        self.stopped = False
        self.ended = False
        self.nonsense: str | None = None
        self.stragglers: list[str] = []
        self.left: list[str] = []
        self.words: deque[str] = deque(maxlen=_KEPT)
        self._core: str | None = None
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take a piece of the supervisor's stream; an empty one is its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        with self.changed:
            for line in lines:
                self._line(one_line(line.decode("utf-8", "replace")))
            self.ended = self.ended or not data or self.nonsense is not None
            self.changed.notify_all()

    def _line(self, line: str) -> None:
        if not line.startswith(MARK):
            self.words.append(line)
            return
        try:
            self._message(*line.removeprefix(MARK).partition(" ")[::2])
        except LabError as error:
            self.nonsense = error.what

    def _message(self, word: str, value: str) -> None:
        if word == "session":
            self.session = read_number(value)
        elif word == "refused":
            self.refused = value
        elif word == "core":
            self._core = value
        elif word == "exit":
            self.exit = read_exit(read_number(value), self._core)
        elif word in {"straggler", "left"}:
            (self.stragglers if word == "straggler" else self.left).append(value)
        elif word == "stopped":
            self.stopped, self.needed = True, None if value == "-" else value
