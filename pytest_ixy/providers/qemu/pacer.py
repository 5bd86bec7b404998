"""Hold pktgen to the pace of the slowest role, by the frames that its networks lose.

A poll-mode pktgen sends as fast as its processor lets it, and a virtual network has no way to slow
a sender down: what the receiver does not take in time is dropped. How much is lost would then say
more about how many cores this host has to spare than about the target. (Shares of the processor
alone were tried: with pktgen at nice 3 the C ixy lost 2 %, a faster pktgen 45 %; at nice 19 it
starved.) So the machine of the sender runs for a part of every period only, and that part shrinks
when a tap drops frames and grows while none does: additive increase, multiplicative decrease, as
TCP does it. After a drop it also stands still for a while, so that the full queues can empty.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from pytest_ixy.providers.qemu.devices import counted

PERIOD = 0.01
START, LEAST, MOST = 0.5, 0.05, 1.0
GROW, SHRINK = 0.002, 0.5
REST = 0.03


def dropped(taps: list[str]) -> int:
    """Frames that could not be delivered into the taps, in the namespace of this thread."""
    return sum(numbers["dropped"] for name, numbers in counted("").items() if name in taps)


class Pacer:
    """Stops and continues one process; `due` says when `tick` wants to be called next."""

    def __init__(self, pid: int, taps: list[str]) -> None:
        self._taps = taps
        self._process = os.pidfd_open(pid)  # an id alone may be another process's by the time of a signal
        self._share = START
        self._lost = dropped(taps)
        self._stopped = False
        self.due = time.monotonic()

    def tick(self) -> None:
        """Stop the process when its part of the period is over, or begin the next period."""
        now = time.monotonic()
        if self._stopped or self._share >= MOST:
            if self._lossless():
                self._signal(signal.SIGCONT)
                self.due = now + PERIOD * self._share
            else:
                self._signal(signal.SIGSTOP)
                self.due = now + REST
        else:
            self._signal(signal.SIGSTOP)
            self.due = now + PERIOD * (1 - self._share)

    def _lossless(self) -> bool:
        """Whether nothing was dropped since the last time; adapts the share to the answer."""
        before, self._lost = self._lost, dropped(self._taps)
        if self._lost > before:
            self._share = max(LEAST, self._share * SHRINK)
        else:
            self._share = min(MOST, self._share + GROW)
        return self._lost == before

    def _signal(self, number: signal.Signals) -> None:
        self._stopped = number == signal.SIGSTOP
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, number)

    def end(self) -> None:
        """Let the process run freely again; nothing can be asked of this pacer afterwards."""
        self._signal(signal.SIGCONT)
        os.close(self._process)
