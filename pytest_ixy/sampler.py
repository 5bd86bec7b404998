"""Ask again and again while a trial runs, in a thread of its own, and keep what fits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

from pytest_ixy.errors import LabError
from pytest_ixy.providers.base import Counters
from pytest_ixy.series import Series

PERIOD = 0.1
"""Seconds between samples at first. pcap ends between two of them, and what is known up to the one
before is what can be said of the packets that it captured."""
MOST = 1200
COUNTED = ("sent", "received", "dropped")

Sample = Mapping[str, float | None]


class Thinned:
    """Rows over time, at most `most` of them: when they become more, every second one goes.

    Attributes:
        period: Seconds that should lie between two rows; doubled each time.
    """

    def __init__(self, period: float = PERIOD, most: int = MOST) -> None:
        self.period, self._most = period, most
        self._rows: list[tuple[float, Sample]] = []
        self._kept: list[tuple[float, Sample]] = []

    def add(self, seconds: float, sample: Sample, *, keep: bool = False) -> None:
        """Add a row; one to keep stays whatever comes."""
        (self._kept if keep else self._rows).append((seconds, sample))
        if len(self._rows) > self._most:
            del self._rows[1::2]
            self.period *= 2

    def series(self, marks: Mapping[str, float]) -> Series:
        """All rows in order."""
        rows = sorted([*self._rows, *self._kept], key=lambda row: row[0])
        names = tuple(dict.fromkeys(name for _, sample in rows for name in sample))
        table = ((seconds, *(sample.get(name) for name in names)) for seconds, sample in rows)
        return Series(names=names, rows=tuple(table), marks=dict(marks))


class Sampler:
    """A context in which something is asked for periodically.

    Args:
        ask: Gives the numbers of this moment by name; nothing where there are none.
        began: When the trial began, by `time.monotonic`.
        period: Seconds between two samples at first.
    """

    def __init__(self, ask: Callable[[], Sample], began: float, period: float = PERIOD) -> None:
        self._ask, self._began = ask, began
        self._rows = Thinned(period)
        self._marks: dict[str, float] = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ixy-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def series(self) -> Series:
        """What has been sampled so far."""
        with self._lock:
            return self._rows.series(self._marks)

    def take(self, mark: str = "") -> Sample:
        """Sample now, and remember the moment by the name `mark` if there is one.

        Raises:
            LabError: there is no answer.
        """
        with self._lock:
            sample = self._ask()
            seconds = round(time.monotonic() - self._began, 4)
            if sample:
                self._rows.add(seconds, sample, keep=bool(mark))
            if mark:
                self._marks[mark] = seconds
            return sample

    def _run(self) -> None:
        with suppress(LabError):  # whoever waits for the trial meets it too, and tells
            self.take()
            while not self._over.wait(self._rows.period):
                self.take()


def named(counters: Counters, before: Counters) -> Sample:
    """Counters by name, such as `fwd/0/sent`: the place of the NIC counts. What was there before is not."""
    return {
        f"{node}/{place}/{name}": getattr(nic, name) - (getattr(old, name) or 0)
        for node, nics in counters.items()
        for place, (nic, old) in enumerate(zip(nics, before[node], strict=True))
        for name in COUNTED
        if getattr(nic, name) is not None
    }
