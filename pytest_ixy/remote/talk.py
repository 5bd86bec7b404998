"""A script on a node that answers each line that it is sent with one of its own."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_ixy.remote.link import BROKEN

if TYPE_CHECKING:
    from pytest_ixy.remote.link import Link

_LONGEST = 4096


class Talk:
    """A conversation; the script sees the end of its input when it is closed, or the connection is."""

    def __init__(self, link: Link, script: str, *arguments: str, root: bool) -> None:
        self._link = link
        self._channel = link.shell(script, *arguments, root=root)

    def ask(self, timeout: float) -> str:
        """Send an empty line; the line that comes back within `timeout` seconds.

        Raises:
            LabError: none came.
        """
        end, answer = time.monotonic() + timeout, b""
        try:
            self._channel.sendall(b"\n")
            while not answer.endswith(b"\n") and len(answer) < _LONGEST:
                self._channel.settimeout(max(0.01, end - time.monotonic()))
                if not (more := self._channel.recv(_LONGEST)):
                    break
                answer += more
        except BROKEN as error:  # what is late is one of them
            raise self._link.failure("when it was asked") from error
        if not answer.endswith(b"\n"):
            raise self._link.failure("when it was asked")
        return answer.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End it."""
        with suppress(*BROKEN):
            self._channel.close()
