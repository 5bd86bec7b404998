"""What stands for a target that could not be had, so that its tests can say why."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from pytest_ixy.course import USUAL, Course
from pytest_ixy.errors import IxyError


class Absent:
    """Whatever it is asked for, it raises the cause; see `origin.Origin`."""

    latest = None
    declined = ""

    def __init__(self, label: str, folder: Path, cause: IxyError) -> None:
        self.label, self.folder, self.cause = label, folder, cause

    @property
    def target(self) -> NoReturn:
        """There is none."""
        raise self.cause

    @property
    def testbed(self) -> NoReturn:
        """There is none."""
        raise self.cause

    @property
    def cast(self) -> NoReturn:
        """Nobody plays."""
        raise self.cause

    def prepare(self) -> NoReturn:
        """Nothing can be made ready."""
        raise self.cause

    def builds(self) -> NoReturn:
        """Nothing can be built."""
        raise self.cause

    def bundle(self) -> NoReturn:
        """There is none."""
        raise self.cause

    def run_trial(
        self,
        packets: int | None = None,  # noqa: ARG002 - as a lab's
        players: object = None,  # noqa: ARG002
        course: Course = USUAL,  # noqa: ARG002
    ) -> NoReturn:
        """Nothing can be tried."""
        raise self.cause

    def renew(self) -> NoReturn:
        """There are no machines."""
        raise self.cause

    def close(self) -> None:
        """Nothing was opened."""
