"""pytest's side of a testbed that may be held: the same as `testbed.Owner`, by means of a holder."""

from __future__ import annotations

import base64
import pickle
import socket
import subprocess
import sys
from pathlib import Path

from pytest_ixy import programs, runs
from pytest_ixy.bundle import Phase
from pytest_ixy.errors import LabError
from pytest_ixy.holding.request import Request
from pytest_ixy.holding.wire import Message, Wire
from pytest_ixy.progress import Progress, Step
from pytest_ixy.providers.base import Provider, Testbed
from pytest_ixy.runs import Visit
from pytest_ixy.settings import Settings
from pytest_ixy.testbed import Owner, Workspace
from pytest_ixy.topology import Topology

PROGRAM = "pytest_ixy.holding.process"
PATIENCE = 60.0
"""Seconds that a holder may take to answer, or to unmake everything; it takes one."""


def tag(run: str) -> str:
    """The argument by which a run's holder is found."""
    return f"{run}-holder"


class HoldingOwner(Owner):
    """Has a holder provision, and can leave the testbed to it.

    Attributes:
        made: Whether there is a testbed.
    """

    def __init__(self, workspace: Workspace, provider: Provider) -> None:
        super().__init__(workspace, provider)
        self._holder: _Process | None = None
        self.made = False

    def provision(self, topology: Topology, settings: Settings, progress: Progress) -> Testbed:
        """As `Owner.provision`; called once more, it unmakes what there was."""
        self.made = False
        if self._holder is None:
            self._holder = _Process(self.workspace, topology, settings)
        testbed = self._holder.provision(progress)
        self.made = True
        return testbed

    def hold(self, seconds: float) -> Visit:
        """Leave the testbed and the ledger to the holder for so long; how to visit it.

        Raises:
            LabError: the holder is gone, and with it the testbed.
        """
        if self._holder is None:
            raise LabError("There is no testbed to hold.")
        self._holder.hold(seconds)
        self.workspace.book.release()
        return runs.read(self.workspace.book.path)

    def interrupt(self) -> None:
        """End the holder, so that whoever waits for its answer gets a LabError."""
        if self._holder is not None:
            self._holder.terminate()

    def release(self) -> list[str]:
        """End the holder, which unmakes everything, and do what it could not; the errors met."""
        errors = self._holder.end() if self._holder else []
        self._holder = None
        if self.workspace.book.path.exists():
            errors += self.workspace.close().errors
        else:
            self.workspace.book.release()
        return list(dict.fromkeys(errors))


class _Process:
    """A running holder."""

    def __init__(self, space: Workspace, topology: Topology, settings: Settings) -> None:
        name = tag(space.run)
        space.book.intend("process", name)
        self._log = space.scratch / "holder.log"
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                # -P: the folder that the user happens to stand in must not supply modules
                programs.bound([sys.executable, "-P", "-m", PROGRAM, name, str(space.book.fileno())], "TERM"),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                pass_fds=[space.book.fileno()],
                start_new_session=True,  # neither Ctrl-C nor the terminal's end is its business
            )
        self._wire = Wire(ours)
        request = pickle.dumps(Request(space.book.path, space.scratch, topology, settings))
        self._wire.tell(do="begin", request=base64.b64encode(request).decode())

    def provision(self, progress: Progress) -> Testbed:
        """Have it provision, and tell of its progress meanwhile."""
        from pydantic import TypeAdapter

        self._wire.tell(do="provision")
        while (answer := self._hear()).keys() & {"step", "said"}:
            if "step" in answer:
                progress.pass_on(Step(**answer["step"]))
            else:
                progress.say(answer["said"])
        if failure := answer.get("failure"):
            raise LabError(failure["what"], hint=failure["hint"])
        if "testbed" not in answer:  # its last words
            raise LabError("The process that holds the machines was ended.")
        progress.phases += [Phase(**phase) for phase in answer["phases"]]
        return TypeAdapter(Testbed).validate_python(answer["testbed"])

    def hold(self, seconds: float) -> None:
        """Have it stay, as nobody's child."""
        self._wire.end.settimeout(PATIENCE)
        self._wire.tell(do="hold", seconds=seconds)
        self._hear()
        self._wire.close()
        self._process.returncode = 0  # else Popen complains that it runs on

    def _hear(self) -> Message:
        answer = self._wire.hear()
        if answer is None:
            words = _last_words(self._log)
            raise LabError(f"The process that holds the machines has ended. {words}".rstrip())
        return answer

    def terminate(self) -> None:
        """Ask it to end, which it does after all else that it has to do."""
        self._process.terminate()

    def end(self) -> list[str]:
        """End it, in whatever state it is; the errors that it met."""
        self._process.terminate()
        self._wire.end.settimeout(PATIENCE)
        errors: list[str] = []
        while (answer := self._wire.hear()) is not None:
            errors += answer.get("errors", [])
        self._wire.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return errors


def _last_words(log: Path) -> str:
    return programs.tail(log, lines=3) if log.exists() else ""
