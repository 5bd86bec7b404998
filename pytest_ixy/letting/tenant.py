"""The tenant's side: a worker that uses a testbed of the landlord's."""

from __future__ import annotations

import select
import socket

from pytest_ixy.bundle import Phase
from pytest_ixy.errors import LabError
from pytest_ixy.holding.wire import Message, Wire
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Testbed

GLANCE = 1.0
"""Seconds after which the wait lets an interruption in: execnet's does not end a system call."""


class Tenant:
    """Uses the testbed of one subject. What the landlord did for it is added to the progress."""

    def __init__(self, address: str, label: str, progress: Progress) -> None:
        self._address, self._label, self._progress = address, label, progress
        self._wire: Wire | None = None

    def testbed(self) -> Testbed:
        """Get it, when there is a place for it.

        Raises:
            LabError: it cannot be had, with the landlord's reason.
        """
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect("\0" + self._address)
        except OSError as error:
            end.close()
            raise LabError(f"The process that owns the machines does not answer: {error}.") from error
        self._wire = Wire(end)
        return self._ask(do="let", subject=self._label)

    def renew(self) -> Testbed:
        """Get new machines in place of the old ones; LabError when there are none."""
        return self._ask(do="renew")

    def _ask(self, **question: object) -> Testbed:
        from pydantic import TypeAdapter

        if self._wire is None:
            raise LabError("There is no testbed.")
        self._wire.tell(**question)
        answer = _hear(self._wire)
        if not answer:
            self._wire.close()
            self._wire = None
            raise LabError("The process that owns the machines has ended, or is about to.")
        if failure := answer.get("failure"):
            raise LabError(failure["what"], hint=failure["hint"])
        self._progress.phases[:] = [Phase(**phase) for phase in answer["phases"]]
        return TypeAdapter(Testbed).validate_python(answer["testbed"])

    def leave(self, *, failed: bool) -> None:
        """Need it no more; `failed` tells whether a test has."""
        if self._wire is not None:
            self._wire.tell(do="leave", failed=failed)
            self._wire.close()
            self._wire = None


def _hear(wire: Wire) -> Message | None:
    while not select.select([wire.end], [], [], GLANCE)[0]:
        pass
    return wire.hear()
