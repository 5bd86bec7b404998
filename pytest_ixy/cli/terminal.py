"""Words for people: a table's marks, sizes and ages, and the progress of something slow."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TextIO

from pytest_ixy.check import State
from pytest_ixy.printable import blanked
from pytest_ixy.progress import Step

REFRESH, REPEAT = 0.1, 30.0
COLOURS = {State.OK: "32", State.WARN: "33", State.MISSING: "31;1"}


def say(text: str = "", stream: TextIO | None = None) -> None:
    """Print a line, by default on standard output."""
    print(text, file=stream or sys.stdout, flush=True)


def mark(state: State, width: int) -> str:
    """A state as a word of that width, in colour on a terminal."""
    return coloured(f"{state.value:<{width}}", COLOURS[state])


def coloured(text: str, colour: str) -> str:
    """The text in a colour (of SGR, such as `31;1`) on a terminal, else as it is."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and _colourful() else text


def _colourful() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a whole number of them."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count} B"


def age(seconds: float) -> str:
    """A stretch of time in its largest unit."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if (count := int(seconds // length)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "seconds"


class Display:
    """Shows steps on standard error: one line that changes on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._lively = sys.stderr.isatty() and not os.environ.get("CI")
        self._shown: tuple[str, float] = ("", 0.0)

    def show(self, step: Step) -> None:
        """Show a step, not more often than an eye can follow."""
        if step.over:
            self._write(f"{step.phase}: {step.elapsed:.1f} s", stays=True)
            self._shown = ("", 0.0)
        elif self._is_due(step.phase):
            self._shown = (step.phase, time.monotonic())
            self._write(f"{step.phase}: {blanked(step.detail) or '…'} ({step.elapsed:.0f} s)", stays=False)

    def _is_due(self, phase: str) -> bool:
        before, when = self._shown
        return phase != before or time.monotonic() - when >= (REFRESH if self._lively else REPEAT)

    def _write(self, text: str, *, stays: bool) -> None:
        if self._lively:
            width = shutil.get_terminal_size().columns - 1
            text = f"\r\x1b[K{text[:width]}"
        sys.stderr.write(text + ("\n" if stays or not self._lively else ""))
        sys.stderr.flush()
