"""A file whose bytes are asked for by their place in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self


class Stored:
    """An open file; any number of readers may each be at a place of their own.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, view: memoryview, at: int) -> int:
        """Fill `view` with the bytes from `at` on; how many there were, 0 behind the end."""
        return os.preadv(self._file.fileno(), [view], at)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
