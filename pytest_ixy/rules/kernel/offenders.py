"""Frames that break a rule, counted while the blocks go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_ixy.capture import Column
from pytest_ixy.rules.kernel.bursts import FEW


@dataclass(frozen=True)
class Offenders:
    """Frames that break a rule: how many, the numbers of the first few, and how many of which kind."""

    total: int
    first: tuple[int, ...]
    kinds: Mapping[str, int]


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

    def offenders(self) -> Offenders:
        """What was collected; only the most frequent kinds are named."""
        return Offenders(self.total, tuple(self.first), dict(self.kinds.most_common(FEW)))
