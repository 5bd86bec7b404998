"""Where bundles come from: a lab that makes them, or trials that are over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_ixy.course import USUAL, Course

if TYPE_CHECKING:
    from pytest_ixy.bundle import Build, Bundle, TargetRecord
    from pytest_ixy.cast import Cast
    from pytest_ixy.providers.base import Testbed
    from pytest_ixy.spec import Spec


class Tested(Protocol):
    """What is known of a target; NotRecordedError for what is not."""

    @property
    def record(self) -> TargetRecord:
        """Name, commit, dirty."""
        ...

    @property
    def diff(self) -> str:
        """How its work tree differed from the commit."""
        ...

    @property
    def spec(self) -> Spec:
        """Its `ixy-ci.toml`."""
        ...

    @property
    def folder(self) -> Path:
        """Its work tree."""
        ...

    @property
    def unsupported(self) -> Mapping[str, tuple[str, ...]]:
        """Parameters of tests, by scenario, that it declares not to support."""
        ...


class Origin(Protocol):
    """All that pytest's side asks for; `Lab` and `Replay` are the two there are."""

    @property
    def label(self) -> str:
        """The target's name in test ids."""
        ...

    @property
    def folder(self) -> Path:
        """Where the logs are that `builds` names."""
        ...

    @property
    def latest(self) -> Path | None:
        """The newest bundle, None while there is none."""
        ...

    @property
    def target(self) -> Tested:
        """What is tested."""
        ...

    @property
    def testbed(self) -> Testbed:
        """The machines; NotRecordedError where there are none."""
        ...

    @property
    def declined(self) -> str:
        """Why nothing of it is tried; empty when it is."""
        ...

    def prepare(self) -> None:
        """Make ready what builds and trials need; LabError when that cannot be."""
        ...

    def builds(self) -> dict[str, Build]:
        """How the target's build went on each node, by role."""
        ...

    def bundle(self) -> Bundle:
        """What one trial left, the same at every call."""
        ...

    @property
    def cast(self) -> Cast:
        """Who plays each role, by target and settings; NotRecordedError where nobody will."""
        ...

    def run_trial(
        self, packets: int | None = None, players: Cast | None = None, course: Course = USUAL
    ) -> Bundle:
        """Run one more trial; NotRecordedError where that is impossible."""
        ...

    def renew(self) -> None:
        """Have new machines for what comes next; NotRecordedError or LabError where that cannot be."""
        ...

    def close(self) -> None:
        """Let go of everything that was opened."""
        ...
