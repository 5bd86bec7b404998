"""Frames that break a rule, counted while the blocks go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from pytest_ixy.capture import Column
from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.dissect import Mask


@dataclass(frozen=True)
class Offenders:
    """Frames that break a rule: how many, the numbers of the first few, and how many of which kind."""

    total: int
    first: tuple[int, ...]
    kinds: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Part:
    """Some frames of a block: which of them break a rule, and the frame numbers of rows."""

    wrong: Mask
    numbers: Callable[[Column], Column]


class Sieve:
    """Collects offenders while the blocks go by."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[int] = []
        self.kinds: Counter[str] = Counter()

    def add(self, numbers: Column, kinds: Mapping[str, int]) -> None:
        """Add frames by their numbers."""
        self.total += numbers.size
        self.kinds.update(kinds)
        self.first += numbers[: FEW - len(self.first)].tolist()

    def add_parts(self, parts: Collection[Part]) -> None:
        """Add the frames of a block, of which each part tells some; the parts may be mixed in the capture."""
        self.total += sum(int(np.count_nonzero(part.wrong)) for part in parts)
        if parts and len(self.first) < FEW:
            few = [part.numbers(np.flatnonzero(part.wrong)[:FEW]) for part in parts]
            self.first += np.sort(np.concatenate(few))[: FEW - len(self.first)].tolist()

    def offenders(self) -> Offenders:
        """What was collected; only the most frequent kinds are named."""
        return Offenders(self.total, tuple(self.first), dict(self.kinds.most_common(FEW)))
