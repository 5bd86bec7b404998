"""What is measured beside a trial: the networks' counters, and in a long one the roles' memory."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from pytest_ixy import series
from pytest_ixy.errors import LabError
from pytest_ixy.manifest import Setup
from pytest_ixy.memory import Memory
from pytest_ixy.providers.base import Counters
from pytest_ixy.sampler import Sampler, named
from pytest_ixy.series import COUNTERS, MEMORY, QUIET, WAITED

LULL, PATIENCE = 0.05, 0.5
"""Seconds without any frame after which none is under way, and how long to wait for such."""


class Meters:
    """A context around a trial. Nothing of it is felt on the nodes, unless memory is watched."""

    def __init__(self, setup: Setup, before: Counters, began: float) -> None:
        self._setup = setup
        self._counters = Sampler(lambda: named(setup.provider.counters(setup.testbed), before), began)
        self._memory: Memory | None = None
        self._sizes = Sampler(lambda: self._memory.sample() if self._memory else {}, began, period=1.0)
        self._settling, self._settled = threading.Lock(), False

    def __enter__(self) -> Self:
        self._counters.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._counters.__exit__(*exception)
        with suppress(LabError):  # what led here is the one to tell
            self._end_memory()

    def watch_memory(self, memory: Memory) -> None:
        """From now on, until the wait is over."""
        self._memory = memory
        self._sizes.__enter__()

    def _end_memory(self) -> None:
        if self._memory is not None:
            self._sizes.__exit__()  # first, for its thread asks the memory
            memory, self._memory = self._memory, None
            memory.stop(self._setup.settings.timeouts.stop)

    def waited(self) -> None:
        """The wait for pcap is over, and all roles that have not ended still run."""
        self._counters.take(WAITED)
        self._end_memory()

    def settle(self) -> None:
        """pktgen is being stopped: wait until nothing that it sent is under way any more, and count then.

        Only then can it be told exactly what a role swallowed; before, the rest may still wait in its rings.
        Who calls while another waits, waits with it.
        """
        with self._settling:
            if not self._settled:
                self._settled = True
                self._settle()

    def _settle(self) -> None:
        counted, end = self._counters.take(), time.monotonic() + PATIENCE
        while counted and time.monotonic() < end:
            time.sleep(LULL)
            if (now := self._counters.take()) == counted:
                self._counters.take(QUIET)
                return
            counted = now

    def leave(self, folder: Path) -> dict[str, str]:
        """Write what was measured into the bundle; the answer is for the manifest."""
        return {
            **series.write(folder, COUNTERS, self._counters.series),
            **series.write(folder, MEMORY, self._sizes.series),
        }
