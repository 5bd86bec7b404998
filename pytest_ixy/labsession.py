"""A pytest session on a TeraVM lab, or on what one left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy import sweep, testbed
from pytest_ixy.absent import Absent
from pytest_ixy.ending import end_on_sigterm, uninterrupted
from pytest_ixy.errors import NotHereError, UsageError
from pytest_ixy.keeping import Keeping
from pytest_ixy.labtests import PLUGIN, LabTests, Trial
from pytest_ixy.ng40 import folder
from pytest_ixy.progress import Progress
from pytest_ixy.settings import Settings
from pytest_ixy.subjects import Subject, Subjects
from pytest_ixy.testbed import Workspace
from pytest_ixy.xdist import distributes

if TYPE_CHECKING:
    import pytest

    from pytest_ixy.live import Live
    from pytest_ixy.teravm.trial import LabTrial

MEANINGLESS = ("ref", "role", "nic", "gdb", "keep", "image", "offline")
"""Options that somebody may give and that mean nothing here."""


class Over:
    """A run that is over; see `labtests.Trial`."""

    def __init__(self, path: Path) -> None:
        self.latest, self.record = path, folder.load(path)

    def step(self, name: str) -> None:
        """Nothing is done any more."""

    def testlist(self, name: str) -> None:
        """Nothing is run any more."""


class LabOrigin(Absent):
    """A lab in the place of a target: there are no packets and no builds; see `origin.Origin`."""

    def __init__(self, trial: Trial) -> None:
        cause = NotHereError("scenario teravm has no target, and no packets")
        super().__init__(trial.record.lab, Path(), cause)
        self._trial = trial

    @property
    def latest(self) -> Path | None:  # type: ignore[override]
        """The bundle, None while it is empty."""
        return self._trial.latest


def begin(config: pytest.Config, settings: Settings, live: Live) -> Subjects:
    """Register what makes tests of a lab; nothing is done in it before the first of them.

    Raises:
        UsageError: something that was asked for cannot be.
    """
    from pytest_ixy.report.collect import Reports

    _refuse(config, settings)
    trial = Over(settings.replay.resolve()) if settings.replay else _own(config, settings, live)
    subject = Subject(settings, LabOrigin(trial))
    config.pluginmanager.register(LabTests(trial, subject, over=settings.replay is not None), PLUGIN)
    config.pluginmanager.register(Reports(config, findings=settings.replay is None), "ixy-reports")
    return Subjects([subject])


def _refuse(config: pytest.Config, settings: Settings) -> None:
    if settings.targets:
        raise UsageError(
            "Scenario teravm tests a lab, not a repository.", hint="leave --ixy-repo and [[targets]] out"
        )
    for name in MEANINGLESS:
        if name in settings.given:
            raise UsageError(f"--ixy-{name} means nothing in scenario teravm.", hint="leave it out")
    if "provider" in settings.given and settings.provider != "static":
        raise UsageError(
            f"--ixy-provider={settings.provider} makes no machines for scenario teravm.",
            hint="leave it out: the hosts of [lab] are there already",
        )
    if distributes(config):
        raise UsageError("There is one lab, whose steps come one after the other.", hint="leave -n out: -n 0")


def _own(config: pytest.Config, settings: Settings, live: Live) -> LabTrial:
    """This process leases the lab."""
    from pytest_ixy.teravm.trial import LabTrial, table

    name = table(settings).name
    sweep.before_a_run(live.say)
    keeper = Keeping()
    end_on_sigterm(config, keeper)
    space = Workspace(testbed.run_id(settings.scenario, name))
    try:
        trial = LabTrial(settings, space, settings.artifacts / space.run, Progress(live.show, live.say))
    except BaseException:
        space.close()
        raise

    def release() -> None:
        with uninterrupted():
            for text in trial.close():
                live.say(f"not taken down: {text}")

    config.add_cleanup(release)
    return trial
