"""Numbers over time: what was sampled while a trial ran, as a file of its bundle."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from pytest_ixy.errors import UsageError
from pytest_ixy.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ixy.bundle import Bundle

COUNTERS, MEMORY = "counters", "memory"
WAITED, QUIET = "waited", "quiet"
"""Marks: the trial's end, after which roles are stopped; pktgen has ended and nothing is under way."""
LARGEST = 8 << 20
MOST_ROWS, MOST_NAMES, HIGHEST = 10_000, 200, 1e15


class Series(Record):
    """A table over time.

    Attributes:
        names: What each column but the first holds.
        rows: Seconds since `Manifest.started`, rising, and a number for each name; None where unknown.
        marks: Moments that matter, by name.
    """

    names: tuple[str, ...] = ()
    rows: tuple[tuple[float | None, ...], ...] = ()
    marks: Mapping[str, float] = Field(default_factory=dict)

    def column(self, name: str) -> list[tuple[float, float]]:
        """Moments and values of one name; moments at which it is unknown are left out."""
        if name not in self.names:
            return []
        place = self.names.index(name) + 1
        return [(float(row[0] or 0), float(row[place] or 0)) for row in self.rows if row[place] is not None]


EMPTY = Series()


def write(folder: Path, kind: str, series: Series) -> dict[str, str]:
    """Write it into a bundle's folder; the answer goes into the manifest. Nothing for no rows."""
    if not series.rows:
        return {}
    file = f"{kind}.json"
    (folder / file).write_text(series.model_dump_json() + "\n", encoding="utf-8")
    return {kind: file}


def read(bundle: Bundle, kind: str) -> Series:
    """What the bundle has of that kind; `EMPTY` where it has nothing, or nothing that makes sense."""
    file = bundle.manifest.series.get(kind)
    if not file or bundle.alone:
        return EMPTY
    try:
        path = bundle.inside(file)
        if not path.is_file() or path.stat().st_size > LARGEST:
            return EMPTY
        found = Series.model_validate_json(path.read_bytes())
    except (OSError, UsageError, ValidationError):
        return EMPTY
    return found if _sensible(found) else EMPTY


def _sensible(series: Series) -> bool:
    """A bundle may come from anywhere."""
    width = len(series.names) + 1
    if width > MOST_NAMES or len(series.rows) > MOST_ROWS or any(len(row) != width for row in series.rows):
        return False
    if any(abs(value) > HIGHEST for row in series.rows for value in row if value is not None):
        return False
    moments = [row[0] for row in series.rows if row[0] is not None]
    return len(moments) == len(series.rows) and all(early <= late for early, late in pairwise(moments))
