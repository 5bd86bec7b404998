"""What a run is doing at this moment, for whoever wants to show it, and how long each phase took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pytest_ixy.bundle import Phase


@dataclass(frozen=True)
class Step:
    """One thing to show.

    Attributes:
        phase: Name of the phase, such as `boot`.
        detail: What of it happens now, such as `2 of 3`; empty at the start of a phase.
        elapsed: Seconds since the phase began.
        over: True for the last step of a phase.
        about: The target, where there are several; else empty.
    """

    phase: str
    detail: str
    elapsed: float
    over: bool = False
    about: str = ""


def silent(_step: Step) -> None:
    """Show nothing."""


def mute(_text: str) -> None:
    """Say nothing."""


class Progress:
    """Announces phases to `show` and records them; phases do not nest. `say` prints lines that stay.

    `about` names the target where there are several.
    """

    def __init__(
        self, show: Callable[[Step], None] = silent, say: Callable[[str], None] = mute, about: str = ""
    ) -> None:
        self._show, self.say, self.about = show, say, about
        self._name = ""
        self._began = 0.0
        self.phases: list[Phase] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything inside belongs to the phase `name`; it is recorded even when it fails."""
        self._name, self._began, started = name, time.monotonic(), datetime.now(UTC)
        self.tell("")
        try:
            yield
        finally:
            seconds = time.monotonic() - self._began
            self.phases.append(Phase(name=name, started=started, seconds=round(seconds, 3)))
            self._show(Step(name, "", seconds, over=True, about=self.about))

    def pass_on(self, step: Step) -> None:
        """Show a step of another process, whose phases are added when it is done."""
        self._show(replace(step, about=self.about))

    def tell(self, detail: str) -> None:
        """Show `detail` as the state of the current phase."""
        self._show(Step(self._name, detail, time.monotonic() - self._began, about=self.about))
