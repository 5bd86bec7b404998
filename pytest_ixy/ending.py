"""How a session ends that somebody interrupts: with reports, and with everything taken down."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from pytest_ixy.keeping import Keeping


def end_on_sigterm(config: pytest.Config, keeper: Keeping) -> None:
    """Let SIGTERM end the session as Ctrl-C does; only the main thread can see to that."""
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int, frame: FrameType | None) -> None:
        keeper.terminated = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGTERM, end)

    def restore() -> None:
        signal.signal(signal.SIGTERM, before)

    config.add_cleanup(restore)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Not to be interrupted: to take everything down takes a second, and a leak would take longer."""
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
