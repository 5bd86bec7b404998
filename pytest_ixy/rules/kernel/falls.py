"""Whether sequence numbers rise: what the first pass finds out about the order, for next to nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint32]


class Falls:
    """Watches each number and the one before it.

    Attributes:
        deepest: The furthest that a number lies below the one before it; 0 where none does.
    """

    def __init__(self) -> None:
        self.deepest = 0
        self._last = 0

    def add(self, numbers: Numbers, *, consecutive: bool) -> None:
        """Look at the next numbers; `consecutive` when each is known to be one more than the one before."""
        if not numbers.size:
            return
        self._note(self._last - int(numbers[0]))
        self._last = int(numbers[-1])
        if consecutive:
            return
        before, after = numbers[:-1], numbers[1:]
        falls = after < before
        if np.count_nonzero(falls):
            self._note(int((before[falls] - after[falls]).max()))

    def _note(self, depth: int) -> None:
        self.deepest = max(self.deepest, depth)


def consecutive(numbers: Numbers) -> bool:
    """Whether each number is one more than the one before it."""
    if not numbers.size or int(numbers[-1]) - int(numbers[0]) + 1 != numbers.size:
        return False
    return int(np.count_nonzero(numbers[1:] - numbers[:-1] == 1)) == numbers.size - 1
