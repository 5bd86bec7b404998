"""So many at once, the others wait their turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ClosedError(Exception):
    """There will be no place any more."""


class Places:
    """Places of which each is taken by one at a time; who came first gets one first.

    Args:
        count: How many there are; None for as many as are asked for.
    """

    def __init__(self, count: int | None) -> None:
        self.count = count
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._taken = 0
        self._closed = False

    @contextmanager
    def one(self, wait: Callable[[], None]) -> Iterator[None]:
        """Have a place, when there is one; `wait` is called when there is none at once.

        Raises:
            ClosedError: there will be none.
        """
        self._take(wait)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def _take(self, wait: Callable[[], None]) -> None:
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            if not self._is_next(ticket):
                wait()
            self._changed.wait_for(lambda: self._closed or self._is_next(ticket))
            self._line.remove(ticket)
            if self._closed:
                raise ClosedError
            self._taken += 1
            self._changed.notify_all()

    def _is_next(self, ticket: object) -> bool:
        return self._line[0] is ticket and (self.count is None or self._taken < self.count)

    def close(self) -> None:
        """Give out none any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
