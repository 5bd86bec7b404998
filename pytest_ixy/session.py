"""A pytest session with something to test: sets up labs or a replay, and turns errors into test outcomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_ixy import sweep
from pytest_ixy.after import After
from pytest_ixy.crowd import Crowd
from pytest_ixy.ending import end_on_sigterm, uninterrupted
from pytest_ixy.errors import IxyError, UsageError
from pytest_ixy.keeping import Keeping
from pytest_ixy.lab import Lab
from pytest_ixy.live import Live
from pytest_ixy.options import TERAVM
from pytest_ixy.origin import Origin
from pytest_ixy.outcomes import Outcomes
from pytest_ixy.owning import Owned
from pytest_ixy.replay import Replay
from pytest_ixy.settings import Settings
from pytest_ixy.startup import FOLLOWS, settings_of
from pytest_ixy.subjects import Subject, Subjects

if TYPE_CHECKING:
    from pytest_ixy.xdist import Controller

SUBJECTS = pytest.StashKey[Subjects]()
OUTCOMES = pytest.StashKey[Outcomes]()
CONTROLLER = "ixy-xdist"


def start(config: pytest.Config) -> None:
    """Get the targets or what one left, and register what makes tests of them; provisions nothing."""
    settings = settings_of(config)
    live = Live(config)
    config.add_cleanup(live.close)
    try:
        subjects = _subjects(config, settings, live)
    except (IxyError, OSError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SUBJECTS] = subjects
    config.stash[OUTCOMES] = Outcomes(subjects)
    config.pluginmanager.register(config.stash[OUTCOMES], "ixy-outcomes")
    config.pluginmanager.register(live, "ixy-live")
    follows = getattr(config.option, FOLLOWS, False) and settings.localise == "failed"
    config.pluginmanager.register(After(config, subjects.labels, waiting=follows), "ixy-after")


def _subjects(config: pytest.Config, settings: Settings, live: Live) -> Subjects:
    if settings.scenario == TERAVM:
        from pytest_ixy import labsession

        return labsession.begin(config, settings, live)
    if settings.replay is not None:
        return Subjects([Subject(settings, _replay(config, settings, settings.replay))])
    if hasattr(config, "workerinput"):
        from pytest_ixy.xdist import adopt

        return adopt(config, settings, live)
    return _own(config, settings, live)


def _replay(config: pytest.Config, settings: Settings, path: Path) -> Replay:
    """Every process opens what is replayed by itself; the one that reports writes nothing into it."""
    from pytest_ixy.report.collect import Reports
    from pytest_ixy.xdist import Together

    replay = Replay(path, settings)
    config.add_cleanup(replay.close)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reports(config, replay.terms, findings=False), "ixy-reports")
        if config.pluginmanager.hasplugin("xdist"):
            config.pluginmanager.register(Together([replay.label]), CONTROLLER)
    return replay


def _own(config: pytest.Config, settings: Settings, live: Live) -> Subjects:
    """This process owns the testbeds: the only one, or xdist's controller."""
    from pytest_ixy.report.collect import Reports
    from pytest_ixy.xdist import Controller, distributes, room

    _refuse_several(settings)
    sweep.before_a_run(live.say)
    keeper, apart = Keeping(), distributes(config)
    config.pluginmanager.register(keeper, "ixy-keeping")
    if len(settings.each) > 1 and apart:
        live.calm()
    owned: list[Owned] = []
    config.add_cleanup(lambda: _release(config, owned))
    end_on_sigterm(config, keeper)
    for each in settings.each:
        several = len(settings.each) > 1
        owned.append(Owned(each, keeper, live.show, live.say, several=several, apart=apart))
    subjects = _fetched(owned, _own_files(config, settings))
    config.pluginmanager.register(Reports(config), "ixy-reports")
    there = room(settings) if apart or (settings.keep != "never" and len(owned) > 1) else None
    keeper.crowd = Crowd([one.origin.label for one in owned if isinstance(one.origin, Lab)], there)
    if apart:
        config.pluginmanager.register(Controller(owned, there, live.say), CONTROLLER)
    return subjects


def _refuse_several(settings: Settings) -> None:
    if settings.gdb and len(settings.each) > 1:
        hint = "give the one repository whose role is to be debugged"
        raise UsageError(f"--ixy-gdb={settings.gdb} is for one target; there are several.", hint=hint)


def _fetched(owned: list[Owned], exclude: list[Path]) -> Subjects:
    """All with their targets; of several, one that cannot be had is for its own tests to tell."""
    found: dict[str, Subject] = {}
    for one in owned:
        try:
            origin: Origin = one.fetch(exclude, found)
        except (IxyError, OSError) as error:
            if len(one.settings.targets) == 1:
                raise
            origin = one.give_up(error, found)
        found[origin.label] = Subject(one.settings, origin, _finisher(one))
    return Subjects(found.values())


def _finisher(one: Owned) -> Callable[[], None]:
    def finish() -> None:
        with uninterrupted():
            one.leave(failed=None)

    return finish


def _own_files(config: pytest.Config, settings: Settings) -> list[Path]:
    """What this run writes: when it stands in a local target, it is no part of that."""
    reports = [config.getoption(name, None) for name in ("htmlpath", "xmlpath")]
    files = [Path(report).expanduser() for report in reports if report]
    assets = [file.parent / "assets" for file in files if file.suffix == ".html"]  # pytest-html's
    return [settings.artifacts, *files, *assets]


def _release(config: pytest.Config, owned: list[Owned]) -> None:
    """Take down what is still there: first what workers use, each in the thread that made it."""
    controller: Controller | None = config.pluginmanager.getplugin(CONTROLLER)
    with uninterrupted():
        if controller is not None:
            controller.close()
        for one in owned:
            one.leave(failed=None)
        for one in owned:
            one.hold()
