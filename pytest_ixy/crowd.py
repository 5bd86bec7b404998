"""Whether a testbed may be held: targets that are still to be tested need a place."""

from __future__ import annotations

import threading
from collections.abc import Collection


class Crowd:
    """Counts who needs a place. Testbeds are left in several threads.

    Args:
        labels: Targets that will have a testbed.
        room: How many testbeds there can be at once; None where no limit is known.
    """

    def __init__(self, labels: Collection[str] = (), room: int | None = None) -> None:
        self._ahead, self._room = set(labels), room
        self._lock = threading.Lock()

    @property
    def labels(self) -> frozenset[str]:
        """Targets that still need a place."""
        with self._lock:
            return frozenset(self._ahead)

    def expect(self, labels: Collection[str]) -> None:
        """Only those targets have tests, or more of them."""
        with self._lock:
            self._ahead &= set(labels)

    def leave(self, label: str) -> None:
        """That target's tests are over."""
        with self._lock:
            self._ahead.discard(label)

    def stay(self) -> bool:
        """Whether a testbed may stay, which then has a place for good."""
        with self._lock:
            if self._room is None or not self._ahead:
                return True
            if self._room > 1:
                self._room -= 1
                return True
            return False
