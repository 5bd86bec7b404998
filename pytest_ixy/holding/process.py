"""The holder; run as a program with a TAG and the ledger's descriptor, by `owner.py`.

It is asked over standard input, a socket; each answer is one message of `wire.py`:

    {"do": "begin", "request": …}   a pickled `Request`; no answer
    {"do": "provision"}             {"step": …}, {"said": …} meanwhile, then
                                    {"testbed": …, "phases": …} or {"failure": …}
    {"do": "hold", "seconds": 3600} {"until": 1795352580.5}; from now on pytest is not needed

It ends on SIGTERM, which it also gets when pytest dies; when its time is over; and when the other end
of the socket is gone before it was told to hold. Then it unmakes everything and forgets the run.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import pickle
import select
import signal
import socket
import sys
import time
from dataclasses import asdict
from typing import Any

from pytest_ixy import ledger, runs, sweep
from pytest_ixy.errors import IxyError
from pytest_ixy.holding.request import Request
from pytest_ixy.holding.wire import Message, Wire
from pytest_ixy.ledger import Ledger
from pytest_ixy.progress import Progress, Step
from pytest_ixy.providers import registry
from pytest_ixy.testbed import make, unmake

PR_SET_PDEATHSIG = 1
NAP = 30.0
"""Seconds between looks at the clock, which goes on while this host sleeps."""


class Holder:
    """Owns one testbed."""

    def __init__(self, wire: Wire, request: Request, book: Ledger) -> None:
        self._wire, self._request, self._book = wire, request, book
        self._provider = registry.load(request.settings.provider)
        self._end: float | None = None

    def serve(self) -> None:
        """Answer until it is over; see the module's text."""
        while self._end is None:
            message = self._wire.hear()
            if message is None:
                return
            self._answer(message)
        while (left := self._end - _now()) > 0:
            select.select([], [], [], min(left, NAP))

    def _answer(self, message: Message) -> None:
        if message["do"] == "provision":
            self._wire.tell(**self._provision())
        elif message["do"] == "hold":
            self._hold(message["seconds"])

    def _provision(self) -> Message:
        """The testbed as JSON, or why there is none; what there was before is unmade first."""
        from pydantic import TypeAdapter

        from pytest_ixy.providers.base import Testbed

        progress = Progress(self._show, lambda text: self._wire.tell(said=text))
        try:
            testbed = self._make(progress)
        except IxyError as error:
            return {"failure": {"what": error.what, "hint": error.hint}}
        except OSError as error:
            hint = "run pytest-ixy doctor"
            return {"failure": {"what": f"This machine would not: {error}.", "hint": hint}}
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, pytest must be told
            what = f"The provider failed: {type(error).__name__}: {error}"
            return {"failure": {"what": what, "hint": ""}}
        phases = [phase.model_dump(mode="json") for phase in progress.phases]
        return {"testbed": TypeAdapter(Testbed).dump_python(testbed, mode="json"), "phases": phases}

    def _make(self, progress: Progress) -> Any:
        request = self._request
        unmake(self._provider)
        return make(self._provider, request.topology, request.settings, self._book, request.scratch, progress)

    def _show(self, step: Step) -> None:
        self._wire.tell(step=asdict(step))

    def _hold(self, seconds: float) -> None:
        """Need pytest no more."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)
        until = time.time() + seconds
        runs.hold(self._book, until)
        self._end = _now() + seconds
        self._wire.tell(until=until)

    def unmake(self) -> list[str]:
        """Unmake the testbed and all that the ledger lists; the errors."""
        return [*self._provider.destroy(), *sweep.settle(self._book).errors]


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _terminate(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what has begun to end is not to be interrupted
    raise SystemExit


def main() -> None:
    """Serve, then unmake everything, however the serving ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    wire = Wire(socket.socket(fileno=0))
    message = wire.hear()
    if message is None:
        return
    request: Request = pickle.loads(base64.b64decode(message["request"]))  # noqa: S301 - it is our parent's
    holder = Holder(wire, request, ledger.inherited(request.ledger, int(sys.argv[2])))
    try:
        with contextlib.suppress(SystemExit):
            signal.signal(signal.SIGTERM, _terminate)
            holder.serve()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        wire.tell(errors=holder.unmake())


if __name__ == "__main__":
    main()
