"""The first pass over a capture, made while the capture is still coming."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pytest_ixy.capture import Growing
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.rules.kernel.observed import Observed


class Meanwhile:
    """Observes one capture in a thread of its own; a context manager that leaves no thread.

    Should the pass break, or the capture not come whole, there is no `observed`, and whoever judges makes
    the pass anew: the verdict never depends on this.

    Args:
        dialect: What packets should look like.

    Attributes:
        observed: What the pass shows, once `finish` has returned.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.observed: Observed | None = None
        self._dialect = dialect
        self._pool = ThreadPoolExecutor(1, "ixy-meanwhile")
        self._file: Growing | None = None
        self._pass: Future[Observed] | None = None

    def __enter__(self) -> Self:
        self._pool.submit(_prepare)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._file.give_up()
        self._pool.shutdown()
        if self._file:
            self._file.close()

    def begin(self, path: Path, size: int) -> None:
        """Look at that file from now on, which will grow to that size."""
        from pytest_ixy.capture import Growing
        from pytest_ixy.rules.kernel.observed import observe

        self._file = Growing(path, size)
        self._pass = self._pool.submit(observe, self._file, self._dialect)

    def grew(self, written: int) -> int:
        """So many bytes of it can be read; the answer is how many have been looked at."""
        if self._file is None:
            return 0
        self._file.grew(written)
        return self._file.passed

    def finish(self) -> None:
        """Wait for the end of the pass over a capture that has come whole."""
        if self._pass and not self._pass.exception():
            self.observed = self._pass.result()


def _prepare() -> None:
    """Import what takes long while nobody waits for it."""
    import pytest_ixy.rules.kernel.observed  # noqa: F401
