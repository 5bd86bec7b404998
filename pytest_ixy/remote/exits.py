"""Read how a process ended from the status that bash gives."""

from __future__ import annotations

import signal

from pytest_ixy.bundle import Exit

_MISSING = (126, 127)
_SIGNALLED = 128
_CORE = {
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSYS",
    "SIGTRAP",
    "SIGXCPU",
    "SIGXFSZ",
}


def read_exit(status: int, core_pattern: str | None = None) -> Exit:
    """The status as an `Exit`; the core pattern is kept only for signals that dump core."""
    name = _signal_name(status - _SIGNALLED)
    return Exit(
        status=status,
        signal=name,
        missing=status in _MISSING,
        core_pattern=core_pattern if name in _CORE else None,
    )


def _signal_name(number: int) -> str | None:
    if number not in set(signal.valid_signals()):
        return None
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name of its own
        return f"SIG{number}"
