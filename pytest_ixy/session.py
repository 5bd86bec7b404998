"""A pytest session with a target: sets up the lab or a replay, and turns errors into test outcomes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ixy import cast, guests, keeping, source, sweep, target, testbed
from pytest_ixy.after import After
from pytest_ixy.errors import IxyError, LabError, UsageError
from pytest_ixy.keeping import Keeping
from pytest_ixy.lab import Lab
from pytest_ixy.live import Live
from pytest_ixy.origin import Origin
from pytest_ixy.outcomes import Outcomes
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.providers.base import Testbed
from pytest_ixy.replay import Replay
from pytest_ixy.settings import Settings
from pytest_ixy.startup import FOLLOWS, settings_of
from pytest_ixy.testbed import Owner, Workspace

if TYPE_CHECKING:
    from pytest_ixy.xdist import Received

ORIGIN = pytest.StashKey[Origin]()
OWNER = pytest.StashKey[Owner]()
OUTCOMES = pytest.StashKey[Outcomes]()


def start(config: pytest.Config) -> None:
    """Get the target or what it left, and register what makes tests of it; provisions nothing."""
    settings = settings_of(config)
    live = Live(config)
    config.add_cleanup(live.close)
    try:
        origin = _origin(config, settings, live)
    except (IxyError, OSError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[ORIGIN] = origin
    config.stash[OUTCOMES] = Outcomes(origin)
    config.pluginmanager.register(config.stash[OUTCOMES], "ixy-outcomes")
    config.pluginmanager.register(live, "ixy-live")
    if getattr(config.option, FOLLOWS, False) and settings.localise == "failed":
        config.pluginmanager.register(After(config), "ixy-after")


def _origin(config: pytest.Config, settings: Settings, live: Live) -> Origin:
    if settings.replay is not None:
        return _replay(config, settings, settings.replay)
    if hasattr(config, "workerinput"):
        return _adopt(config, settings, live)
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
            config.pluginmanager.register(Together(replay.label), "ixy-xdist")
    return replay


def _own(config: pytest.Config, settings: Settings, live: Live) -> Lab:
    """This process owns the testbed: the only one, or xdist's controller."""
    from pytest_ixy.report.collect import Reports
    from pytest_ixy.xdist import Controller

    for swept in sweep.sweep():
        live.say(f"swept what the killed run {swept.run} left: {', '.join(swept.removed) or 'nothing'}")
        for error in swept.errors:
            live.say(f"could not remove {error}")
    provider = registry.load(settings.provider)
    provider.check(settings)
    run = testbed.run_id(settings.scenario, source.parse(_repo(settings)).name)
    workspace = Workspace(run)
    owner = config.stash[OWNER] = keeping.owner(settings, workspace, provider)
    keeper = Keeping(settings, owner)
    config.pluginmanager.register(keeper, "ixy-keeping")
    config.add_cleanup(lambda: _release(config, owner, keeper, live))
    if threading.current_thread() is threading.main_thread():
        _end_on_sigterm(config, keeper)
    progress = Progress(live.show, live.say)
    got = _fetch(settings, workspace, progress, _own_files(config, settings))
    visitors = _invite(got, settings, workspace, progress, _own_files(config, settings))
    folder = settings.artifacts / run

    def made(make: Callable[[Any, Settings, Progress], Testbed]) -> Testbed:
        return keeping.open_doors(workspace, make(lab_topology(settings), settings, progress), folder)

    lab = Lab(
        settings=settings,
        target=got,
        guests=visitors,
        folder=folder,
        scratch=workspace.scratch,
        provider=owner.provider,
        provision=lambda: made(owner.provision),
        renew=lambda: made(owner.renew),
        progress=progress,
    )
    config.pluginmanager.register(Reports(config), "ixy-reports")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Controller(lab), "ixy-xdist")
    return lab


def lab_topology(settings: Settings) -> Any:
    """The topology of the scenario."""
    from pytest_ixy.topology import forward_topology

    return forward_topology(settings.pci)


def _own_files(config: pytest.Config, settings: Settings) -> list[Path]:
    """What this run writes: when it stands in a local target, it is no part of that."""
    reports = [config.getoption(name, None) for name in ("htmlpath", "xmlpath")]
    files = [Path(report).expanduser() for report in reports if report]
    assets = [file.parent / "assets" for file in files if file.suffix == ".html"]  # pytest-html's
    return [settings.artifacts, *files, *assets]


def _fetch(
    settings: Settings, workspace: Workspace, progress: Progress, exclude: list[Path]
) -> target.Target:
    with progress.phase("clone"):
        progress.tell(_repo(settings))
        return target.fetch(
            _repo(settings),
            settings.ref,
            workspace.scratch / "target",
            timeout=settings.timeouts.fetch,
            exclude=exclude,
        ).on(settings.asked_nic)


def _invite(
    own: target.Target, settings: Settings, workspace: Workspace, progress: Progress, exclude: list[Path]
) -> guests.Guests:
    """Who else plays; UsageError when they cannot play together."""
    players = cast.cast(own.spec, own.record.label, settings.roles)
    if not cast.guests(players):
        return {}
    with progress.phase("clone"):
        into, timeout = workspace.scratch / "guests", settings.timeouts.fetch
        found = guests.fetch(players, settings.roles, into, timeout=timeout, exclude=exclude)
    cast.mixed(*guests.dialects(players, own, found))
    return found


def _repo(settings: Settings) -> str:
    if settings.repo is None:  # the plugin asks only when there is one
        raise UsageError("No repository was given.", hint="--ixy-repo=URL|OWNER/NAME|FOLDER")
    return settings.repo


def _adopt(config: pytest.Config, settings: Settings, live: Live) -> Lab:
    """A worker: target and testbed come from the controller."""
    from pytest_ixy.xdist import received

    handed = received(config)
    progress = Progress(live.show, live.say)
    progress.phases += handed.phases
    return Lab(
        settings=settings,
        target=handed.target,
        guests=handed.guests,
        folder=settings.artifacts / handed.run,
        scratch=Path(handed.scratch) / config.workerinput["workerid"],  # type: ignore[attr-defined]
        provider=registry.load(settings.provider),
        provision=lambda: _claim(handed),
        renew=_refuse_to_renew,
        progress=progress,
    )


def _claim(handed: Received) -> Testbed:
    """Take the testbed for this worker: how another one that had it left the machines, nobody knows."""
    found = handed.testbed()
    try:
        (Path(handed.scratch) / "claimed").touch(exist_ok=False)
    except FileExistsError:
        raise LabError(
            "Another worker has used the testbed, and has crashed or is using it now.",
            hint="see what it printed, or use -n 0",
        ) from None
    return found


def _refuse_to_renew() -> Testbed:
    raise LabError(
        "New machines would tell, but a worker of xdist cannot make any.",
        hint="run scenario localise without -n: --ixy-scenario=localise -n 0",
    )


def _end_on_sigterm(config: pytest.Config, keeper: Keeping) -> None:
    """Let SIGTERM end the session as Ctrl-C does: with reports, and with everything taken down."""

    def end(number: int, frame: FrameType | None) -> None:
        keeper.terminated = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGTERM, end)

    def restore() -> None:
        signal.signal(signal.SIGTERM, before)

    config.add_cleanup(restore)


def _release(config: pytest.Config, owner: Owner, keeper: Keeping, live: Live) -> None:
    """Take everything down, not to be interrupted: it takes a second, and a leak would take longer.

    A testbed that is to be held is left to its holder.
    """
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    errors = []
    try:
        if (origin := config.stash.get(ORIGIN, None)) is not None:
            origin.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, the machines must go
        errors.append(f"{type(error).__name__}: {error}")
    try:
        for text in [*errors, *([] if keeper.hold(live.say) else owner.release())]:
            live.say(f"not taken down: {text}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
