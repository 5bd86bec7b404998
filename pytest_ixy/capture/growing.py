"""A capture that this process is still writing, for a thread that reads it meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

from pytest_ixy.capture.stored import Stored


class GivenUpError(Exception):
    """The writer has given up: there will be no such file."""


class Growing(Stored):
    """A file that grows to a size known before; who reads faster than it grows waits.

    The writer calls `grew`, and `give_up` should it not get to the end. Another thread reads.

    Args:
        path: The file, which may be renamed once this is made.
        size: Bytes that it will have.
    """

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path)
        self.size = size
        self.passed = 0
        """Bytes from the start on that were read."""
        self._written = self._awaited = 0
        self._given_up = False
        self._changed = threading.Condition()

    def grew(self, written: int) -> None:
        """So many bytes from the start on can be read."""
        with self._changed:
            self._written = written
            if written >= self._awaited:
                self._changed.notify()

    def give_up(self) -> None:
        """Let who reads end, whether it waits or not."""
        with self._changed:
            self._given_up = True
            self._changed.notify()

    def read(self, view: memoryview, at: int) -> int:
        """Wait until all that is wanted is there, as far as there will be so much; then as `Stored.read`.

        Raises:
            GivenUpError: the writer has given up.
        """
        end = min(at + len(view), self.size)
        with self._changed:
            self._awaited = end
            self._changed.wait_for(lambda: self._given_up or self._written >= end)
            if self._given_up:
                raise GivenUpError
        self.passed = max(self.passed, end)
        return super().read(view[: max(0, end - at)], at)
