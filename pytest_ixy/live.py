"""The live line: what the lab is doing, on a terminal in one line that changes, else in plain lines."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import IO, Any

import pytest

from pytest_ixy.printable import blanked
from pytest_ixy.progress import Step

REFRESH = 0.1
REPEAT = 30.0
"""Seconds between plain lines of a phase that goes on."""

TITLES = {
    "clone": "getting the target",
    "image": "machine image",
    "boot": "booting",
    "restore": "restoring the machines",
    "lease": "getting hold of the hosts",
    "cloud": "looking at the cloud",
    "networks": "making networks",
    "servers": "making servers",
    "enter": "entering the servers",
    "connect": "connecting",
    "tag": "looking up the build",
    "idle": "looking at the tester",
    "send": "sending the target",
    "build": "building",
    "start": "starting roles",
    "capture": "capturing",
    "stop": "stopping roles",
    "look": "looking at the machines",
    "fetch": "fetching the capture",
}


class Live:
    """Shows steps on a copy of the terminal's descriptor, which output capturing does not touch."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._stream = self._open()
        self._quiet = getattr(config.option, "verbose", 0) < 0
        self._lively = self._stream.isatty() and not os.environ.get("CI") and not self._quiet
        self._shown_at = 0.0
        self._on_line = False
        self._plain: dict[str, tuple[str, float]] = {}

    @staticmethod
    def _open() -> IO[str]:
        # a worker's standard output is its channel to the controller
        source = sys.__stderr__ if "PYTEST_XDIST_WORKER" in os.environ else sys.__stdout__
        try:
            descriptor = os.dup(source.fileno()) if source else os.open(os.devnull, os.O_WRONLY)
        except (OSError, ValueError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
        return os.fdopen(descriptor, "w", encoding="utf-8", errors="replace")

    def calm(self) -> None:
        """Show plain lines from now on: several processes would overwrite each other's live line."""
        self._lively = False

    def show(self, step: Step) -> None:
        """Show a step, not more often than an eye can follow."""
        if self._lively:
            self._show_lively(step)
        elif not self._quiet:
            self._show_plainly(step)

    def _show_lively(self, step: Step) -> None:
        now = time.monotonic()
        if step.over:
            self.erase()
        elif now - self._shown_at >= REFRESH or not step.detail:
            self._shown_at = now
            text = f"ixy: {_words(step)}"
            self._write(
                ("\r\x1b[K" if self._on_line else "\n") + text[: shutil.get_terminal_size().columns - 1]
            )
            self._on_line = True

    def _show_plainly(self, step: Step) -> None:
        phase, since = self._plain.get(step.about, ("", 0.0))
        now = time.monotonic()
        if step.over:
            if step.elapsed >= 1:
                self._write(f"\nixy: {_words(step)}")
        elif step.phase != phase:
            self._plain[step.about] = (step.phase, now)
        elif now - since >= REPEAT:
            self._plain[step.about] = (phase, now)
            self._write(f"\nixy: {_words(step)}")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.erase()
        self._write(f"ixy: {text}\n")

    def erase(self) -> None:
        """Take the live line away and put the cursor back where pytest left it."""
        if self._on_line:
            self._on_line = False
            column = self._column()
            self._write("\r\x1b[K\x1b[A" + (f"\x1b[{column}C" if column else ""))

    def _column(self) -> int:
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        width = getattr(getattr(reporter, "_tw", None), "width_of_current_line", 0)
        return int(width) % shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody looks any more; the run goes on
            self._stream.write(text)
            self._stream.flush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Make room for pytest's own output."""
        self.erase()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Make room for pytest's own output."""
        self.erase()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.erase()
        with contextlib.suppress(OSError):
            self._stream.close()


def _words(step: Step) -> str:
    """Such as `capturing, 3 s: 61,440 of 100,000`, the seconds since it began."""
    seconds = f"{step.elapsed:.1f}" if step.over else f"{step.elapsed:.0f}"
    detail = f": {blanked(step.detail)}" if step.detail else ""
    about = f"{blanked(step.about)}: " if step.about else ""
    return f"{about}{TITLES.get(step.phase, step.phase)}, {seconds} s{detail}"
