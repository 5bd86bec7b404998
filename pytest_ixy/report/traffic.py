"""What the capture's sequence numbers say as a whole: loss, gaps, duplicates, rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_ixy.bundle import Bundle

LARGEST = 1 << 26
"""Sequence numbers from here on are damage rather than a count of packets: no gap is said to reach them."""


@dataclass(frozen=True)
class Traffic:
    """ixy's packets as the capture has them.

    Attributes:
        sequence: Sequence number of each, in capture order.
        time: Capture time of each in seconds, from whatever beginning.
        flaw: Why the capture could be read in part only; empty when it could be read whole.
    """

    sequence: NDArray[Any]
    time: NDArray[Any]
    flaw: str = ""

    @property
    def packets(self) -> int:
        """How many there are."""
        return int(self.sequence.size)

    @cached_property
    def highest(self) -> int | None:
        """The highest sequence number, None when there is no packet."""
        return int(self.sequence.max()) if self.packets else None

    @cached_property
    def repeats(self) -> NDArray[Any]:
        """Where in the capture stand packets whose number came before, in capture order."""
        import numpy as np

        _, first = np.unique(self.sequence, return_index=True)
        again = np.ones(self.sequence.size, dtype=bool)
        again[first] = False
        return np.flatnonzero(again)

    @property
    def unique(self) -> int:
        """How many different sequence numbers there are."""
        return self.packets - int(self.repeats.size)

    @property
    def loss(self) -> float | None:
        """Fraction of the numbers 0..highest that never came; None when there is no packet."""
        return None if self.highest is None else 1 - self.unique / (self.highest + 1)

    @cached_property
    def gaps(self) -> NDArray[Any]:
        """Runs of numbers that never came, below `LARGEST`: a row of first and last for each."""
        import numpy as np

        known = np.unique(self.sequence[self.sequence < LARGEST]).astype(np.int64)
        edges = np.concatenate(([-1], known))
        before = np.flatnonzero(np.diff(edges) > 1)
        return np.stack((edges[before] + 1, edges[before + 1] - 1), axis=1)

    @property
    def missing(self) -> int:
        """How many numbers are in the gaps."""
        return int((self.gaps[:, 1] - self.gaps[:, 0] + 1).sum())

    @property
    def seconds(self) -> float:
        """Time between the first and the last packet."""
        return float(self.time.max() - self.time.min()) if self.packets else 0.0

    @property
    def rate(self) -> float | None:
        """Packets per second between the first and the last; None when they share one time."""
        return (self.packets - 1) / self.seconds if self.seconds > 0 else None


def measure(bundle: Bundle) -> Traffic:
    """Read the bundle's capture; what could not be read is told in `Traffic.flaw`."""
    import numpy as np

    from pytest_ixy.rules import Evidence

    evidence = Evidence(bundle)
    batches = list(evidence.numbered())
    sequence = [np.empty(0, np.uint32), *(batch.sequence for batch in batches)]
    time = [np.empty(0), *(batch.seconds for batch in batches)]
    return Traffic(np.concatenate(sequence), np.concatenate(time), str(evidence.observed.flaw or ""))
