"""When the records of a block were captured, looked at only as far as somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture.block import Column

Values = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Stamps:
    """The times of some records as columns, one row each.

    Attributes:
        time: Nanoseconds since 1970; those of records without a time mean nothing.
        timed: Records that have a time.
        wild: Records whose fraction of a second is a second or more.
    """

    time: Column
    timed: NDArray[np.bool_]
    wild: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Times:
    """The times of a block's records.

    Attributes:
        steady: Tells at a low price whether every record has a time, none is earlier than the one before,
            and no fraction is out of range. False may also mean that this is not known.
        stamps: Makes the columns.
    """

    steady: Callable[[], bool]
    stamps: Callable[[], Stamps]


def rising(values: Values) -> bool:
    """True when none is smaller than the one before."""
    return not np.count_nonzero(values[1:] < values[:-1])


def wide(high: Values, low: Values) -> NDArray[np.uint64]:
    """One number of 64 bits out of two halves."""
    return np.asarray(high.astype(np.uint64) << np.uint64(32) | low)


def steady(seconds: Values, fractions: Values, second: int) -> bool:
    """True when such times never step back, and no fraction has so many units as a second has."""
    if not seconds.size or int(np.maximum.reduce(fractions)) >= second:
        return not seconds.size
    same = not np.count_nonzero(seconds != seconds[0])
    return rising(fractions if same else wide(seconds, fractions))


def among(values: Values, others: Values, before: Column) -> bool:
    """True when others that stand behind so many of some rising values rise along with them."""
    least, most = np.searchsorted(values, others), np.searchsorted(values, others, side="right")
    return rising(others) and not np.count_nonzero((before < least) | (before > most))
