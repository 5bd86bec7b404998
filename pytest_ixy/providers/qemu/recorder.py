"""Bounded logs of what a machine says: a guest may write to its console for ever, our disk is finite."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import IO

CONSOLE, WORDS = 16 << 20, 1 << 20
"""Bytes that are kept of a machine's console, and of what its QEMU says."""
ENDS = b"\n[the log ends here: more was written than is kept]\n"
_BUFFER = 1 << 20
_PATIENCE = 10.0


class Recorder:
    """Writes to a file what comes out of a pipe, up to `limit` bytes; what comes then is forgotten.

    A thread does it. The log is complete when the writers are gone and `close` has returned.

    Attributes:
        sink: The end to write to. Hand it to a process and close it here: the log ends with the last writer.
    """

    def __init__(self, file: Path, limit: int) -> None:
        self._room = limit
        self._file = file.open("wb", buffering=0)
        source, sink = os.pipe()
        with contextlib.suppress(OSError):  # as large as may be: a writer that waits is a guest that stands
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, _BUFFER)
        self.sink: IO[bytes] = os.fdopen(sink, "wb", buffering=0)
        self._source = os.fdopen(source, "rb", buffering=0)
        self._thread = threading.Thread(target=self._run, name=f"ixy-recorder-{file.name}", daemon=True)
        self._thread.start()

    def settle(self, seconds: float) -> None:
        """Wait for the last words of a writer that seems to have ended."""
        self._thread.join(seconds)

    def close(self) -> None:
        """Wait until all that writers who have ended wrote is in the file; safe to call again."""
        self.sink.close()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        with self._source, self._file:
            while data := self._source.read(_BUFFER):
                if self._room >= 0:
                    self._keep(data)

    def _keep(self, data: bytes) -> None:
        kept = data if len(data) <= self._room else data[: self._room] + ENDS
        self._room -= len(data)
        with contextlib.suppress(OSError):  # a full disk shows where it matters; the machine runs on
            self._file.write(kept)
