"""The log that a run of a list leaves on the controller: it names the cases that are to run."""

from __future__ import annotations

from pytest_ixy.ng40 import shapes
from pytest_ixy.ng40.known import MOST_CASES
from pytest_ixy.ng40.lines import Lines


class Plan:
    """Reads such a log as it grows."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._names: dict[str, None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The cases so far, each once, in order."""
        return tuple(self._names)

    def feed(self, data: bytes) -> None:
        """Take what came, in pieces of any size."""
        for line in self._lines.feed(data):
            self._line(line.text)

    def finish(self) -> None:
        """Nothing more will come."""
        for line in self._lines.finish():
            self._line(line.text)

    def _line(self, text: str) -> None:
        begun = [event.name for event in shapes.events(text) if isinstance(event, shapes.Begun)]
        for name in begun:
            if len(self._names) < MOST_CASES:
                self._names[name] = None


def planned(log: bytes) -> tuple[str, ...]:
    """The cases that a whole log names."""
    plan = Plan()
    plan.feed(log)
    plan.finish()
    return plan.names
