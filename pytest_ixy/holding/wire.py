"""Messages between pytest and the holder: JSON objects, one per line, over a pair of sockets."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

Message = dict[str, Any]


class Wire:
    """One end. What is said to an end that is gone is lost."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._lines = end.makefile("rb")

    def tell(self, **message: Any) -> None:
        """Send a message."""
        with contextlib.suppress(OSError):
            self.end.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> Message | None:
        """The next message; None when the other end is gone."""
        try:
            line = self._lines.readline()
        except OSError:
            return None
        try:
            return json.loads(line) if line.endswith(b"\n") else None
        except ValueError:  # the rest of one whose reading was interrupted
            return {}

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self.end.close()
