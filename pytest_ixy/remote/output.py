"""Where a process's output goes: a log file as it comes, and its tail in memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

TAIL = 64 * 1024
"""Bytes kept in memory."""
LIMIT = 256 * 1024 * 1024
"""Bytes that a log may have, whoever wrote them; what comes after is dropped, and the log says so."""
ENDS = b"\n[the log ends here: more was written than is kept]\n"


class Output:
    """Collects output; `feed` may be called by one thread while others read.

    Args:
        log: File to append to, or None to keep the tail only.

    Raises:
        OSError: the log cannot be opened. Later failures are kept in `error`.
    """

    def __init__(self, log: Path | None) -> None:
        self.log = log
        self.error: OSError | None = None
        self.last = time.monotonic()
        self._tail = bytearray()
        self._lock = threading.Lock()
        self._room = 0
        self._file: BinaryIO | None = None
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            self._open(log)

    @property
    def tail(self) -> str:
        """The last 64 KiB as text; bytes that are no UTF-8 are replaced."""
        with self._lock:
            return self._tail.decode("utf-8", "replace")

    def feed(self, data: bytes) -> None:
        """Take a piece of output; an empty one is its end, and closes the log."""
        if not data:
            self.close()
            return
        self.last = time.monotonic()
        with self._lock:
            self._tail += data
            del self._tail[:-TAIL]
        if self._file:
            self._keep(data)

    def _open(self, log: Path) -> None:
        """Open the log unless a process before this one has filled it."""
        file = log.open("ab", buffering=0)
        self._room = LIMIT - file.tell()
        if self._room < 0:
            file.close()
        else:
            self._file = file

    def _keep(self, data: bytes) -> None:
        self._write(data[: self._room])
        if len(data) > self._room:
            self._write(ENDS)
            self.close()
        self._room -= len(data)

    def close(self) -> None:
        """Close the log; the tail stays."""
        if self._file:
            self._file.close()
            self._file = None

    def _write(self, data: bytes) -> None:
        try:
            if self._file:
                self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            self.close()
