"""Which frames are UDP, and which of those are not of the dialect's making."""

from __future__ import annotations

import numpy as np

from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.offenders import Sieve
from pytest_ixy.rules.kernel.sight import Sight


class Shape:
    """Watches UDP's length and the payload's start.

    Attributes:
        udp: UDP packets.
        wrong: UDP packets without the dialect's structure, and frames that cannot be parsed.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.udp = 0
        self.wrong = Sieve()

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        self.udp += sight.plain.count if sight.plain else 0
        if sight.numbers.size:
            self._add_close(sight)

    def _add_close(self, sight: Sight) -> None:
        frames, found = sight.close, sight.found
        self.udp += int(np.count_nonzero(found.udp))
        whole = found.udp_at + 8 + len(self._dialect.magic)
        cut = frames.captured < np.minimum(frames.original, whole)
        length = found.udp & ~found.right_length
        magic = found.udp & found.right_length & ~found.magic & ~cut
        wrong = np.flatnonzero(length | magic | found.unreadable | found.beyond)
        if wrong.size:
            kinds = {
                f"with a UDP length other than {self._dialect.udp_length}": length,
                f"with a payload that does not start with {self._dialect.magic!r}": magic,
                "whose headers cannot be parsed": found.unreadable,
                "with a number of more than 32 bits": found.beyond,
            }
            counts = {kind: int(np.count_nonzero(rows)) for kind, rows in kinds.items()}
            self.wrong.add(sight.numbers[wrong], {kind: number for kind, number in counts.items() if number})
