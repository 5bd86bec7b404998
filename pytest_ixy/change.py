"""When something began to change: small robust statistics of points over time, without any library.

A point is a moment in seconds and a value. Everything compares medians, so that a few wild points change
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

Point = tuple[float, float]

BINS = 120
"""Points are averaged to so many at most: enough to say when, and few enough to compare each with each."""
FEWEST = 8
"""Points with which nothing can be said."""
LEAST_SIDE, LEAST_SHARE = 3, 0.15
"""Points that must lie on either side of a change, and their share of all."""
STAYS = 0.8
"""Share of the points on a side that must lie on its side of the middle: a change is for good."""
RISING = 0.7
"""Kendall's tau from which values are said to rise steadily; 1 is always, a single step has 0.5."""


@dataclass(frozen=True)
class Change:
    """From `seconds` on values were around `after`, and around `before` until then."""

    seconds: float
    before: float
    after: float


@dataclass(frozen=True)
class Growth:
    """Values rose steadily from `seconds` on, by `amount` in all; `before` is where they began."""

    seconds: float
    before: float
    amount: float


def binned(points: Sequence[Point], bins: int = BINS) -> list[Point]:
    """The points averaged to at most so many; each stands at the moment of its first."""
    size = -(-len(points) // bins) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[0][0], sum(value for _, value in part) / len(part)) for part in parts]


def step(points: Sequence[Point], least: float = LEAST_SHARE) -> Change | None:
    """The moment at which the level changed for good; None when no moment divides the values in two.

    It is the one where the values are nearest to the medians of both sides.

    Args:
        points: In order of time.
        least: Share of the points that must lie on either side.
    """
    points = binned(points)
    if len(points) < FEWEST:
        return None
    values = [value for _, value in points]
    side = max(LEAST_SIDE, round(least * len(values)))
    places = range(side, len(values) - side + 1)
    place = min(places, key=lambda at: _spread(values[:at]) + _spread(values[at:]))
    early, late = values[:place], values[place:]
    before, after = median(early), median(late)
    middle, up = (before + after) / 2, after > before
    kept = _share(early, middle, above=not up), _share(late, middle, above=up)
    if before == after or min(kept) < STAYS:
        return None
    return Change(points[place][0], before, after)


def _spread(values: Sequence[float]) -> float:
    center = median(values)
    return sum(abs(value - center) for value in values)


def _share(values: Sequence[float], middle: float, *, above: bool) -> float:
    return sum((value > middle) is above for value in values) / len(values)


def growth(points: Sequence[Point]) -> Growth | None:
    """How much values rose, if they rose steadily; the slope is the median of all slopes (Theil and Sen)."""
    points = binned(points)
    if len(points) < FEWEST:
        return None
    slopes = [
        (late - early) / (end - start)
        for (start, early), (end, late) in combinations(points, 2)
        if end > start
    ]
    if not slopes:
        return None
    tau = (sum(slope > 0 for slope in slopes) - sum(slope < 0 for slope in slopes)) / len(slopes)
    amount = median(slopes) * (points[-1][0] - points[0][0])
    if tau < RISING or amount <= 0:
        return None
    before = median(value for _, value in points[:LEAST_SIDE])
    low = [moment for moment, value in points if value <= before + amount / 10]
    return Growth(max(low, default=points[0][0]), before, amount)
