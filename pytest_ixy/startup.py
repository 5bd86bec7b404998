"""Before pytest has settled what to collect: add the scenario, keep the target's files out of it."""

from __future__ import annotations

import argparse
import os
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_ixy import options, paths
from pytest_ixy.bundle import MANIFEST
from pytest_ixy.errors import UsageError
from pytest_ixy.settings import Settings, resolve

FLAGS = ("--ixy-repo", "--ixy-replay")
FOLLOWS = "ixy_localise_follows"
"""The attribute of pytest's options that says that localise was added to what is collected."""


def scenarios_folder() -> Path:
    """Where the shipped scenarios are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def settings_of(config: pytest.Config, given: argparse.Namespace | None = None) -> Settings:
    """All settings; pytest.UsageError, which ends pytest with status 4, when one is wrong.

    Args:
        config: pytest's configuration.
        given: The command line, where pytest has not parsed all of it.
    """
    ini_folder = config.inipath.parent if config.inipath else None
    try:
        settings = resolve(
            cli=options.command_line(given or config.option),
            environ=os.environ,
            ini=options.ini(config),
            ini_folder=ini_folder,
        )
        scenario_path(settings)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    return settings


def scenario_path(settings: Settings) -> Path:
    """Folder of the scenario that was asked for; UsageError when there is none of that name."""
    root = scenarios_folder()
    known = sorted(folder.name for folder in root.iterdir() if any(folder.glob("test_*.py")))
    if settings.scenario not in known:
        raise UsageError(
            f"There is no scenario {settings.scenario!r}.", hint=f"the scenarios are: {', '.join(known)}"
        )
    return root / settings.scenario


def prepare(config: pytest.Config, args: list[str]) -> None:
    """Add the scenario's path to `args` when the user gave no path, and guard against the target."""
    _refuse_separate_path(args)
    given = config.known_args_namespace
    settings = settings_of(config, given)  # pytest already knows our options
    if given.file_or_dir and not settings.replay:
        _find_scenarios(given, args)
        return
    for folder in _strange_folders(settings):
        _keep_out(config, folder, "bundle" if settings.replay else "target")
    if given.file_or_dir:
        _find_scenarios(given, args)
        return
    found = [str(path) for path in _scenarios(config, settings)]
    args += found
    given.file_or_dir = found  # else the conftest.py of the working directory is loaded
    given.confcutdir = found[0]  # and those of all folders above, which may be the target's


def _scenarios(config: pytest.Config, settings: Settings) -> list[Path]:
    """What to collect when the user gave no path: the scenario, and localise where it follows."""
    path = scenario_path(settings)
    alone = settings.replay or settings.gdb or settings.localise == "never"
    if alone or settings.scenario != "forward":
        return [path]
    setattr(config.option, FOLLOWS, True)  # xdist's workers are given paths, but also this
    return [path, path.with_name("localise")]


def _find_scenarios(given: argparse.Namespace, args: list[str]) -> None:
    """Let the ids that reports show, `scenarios/…::test_…`, be given as paths wherever that is."""
    args[:] = [_found(arg) for arg in args]
    given.file_or_dir = [_found(path) for path in given.file_or_dir]


def _found(arg: str) -> str:
    path = arg.split("::", 1)[0]
    shipped = scenarios_folder().parent / path
    if path.startswith(f"{scenarios_folder().name}/") and not Path(path).exists() and shipped.exists():
        return str(scenarios_folder().parent / arg)
    return arg


def _refuse_separate_path(args: list[str]) -> None:
    """`--ixy-repo ../driver` has pytest take the folder for a test path, and its ini file for ours.

    That happens before any plugin is loaded, so all that can be done is to stop.
    """
    for flag, value in pairwise(args):
        if flag in FLAGS and Path(value).expanduser().exists():
            raise pytest.UsageError(
                f"'{flag} {value}' lets pytest take its configuration from the folder that is to be judged.\n"
                f"  what to do: write it as one word: {flag}={value}"
            )


def _strange_folders(settings: Settings) -> list[Path]:
    """The folders that are judged: the targets', or the bundle's, also for a capture in a bundle."""
    if settings.replay is None:
        folders = [Path(target.repo).expanduser() for target in settings.targets]
    else:
        inside = settings.replay.is_file() and (settings.replay.parent / MANIFEST).exists()
        folders = [settings.replay.parent if inside else settings.replay]
    return [folder for folder in folders if folder.is_dir()]


def _keep_out(config: pytest.Config, folder: Path, name: str) -> None:
    """When pytest runs inside of what is judged, do not let that be rootdir or give configuration."""
    if not _within(config.rootpath, folder):
        return
    explicit = config.known_args_namespace.inifilename
    if config.inipath and not explicit and config.inicfg:
        raise pytest.UsageError(
            f"pytest would take its configuration from {config.inipath}, which belongs to the {name}.\n"
            f"  what to do: run from another folder, or give a configuration of your own with -c FILE"
        )
    neutral = paths.cache_folder() / "rootdir"
    neutral.mkdir(parents=True, exist_ok=True)
    # pytest has no public way to say this at so late a time, and no plugin is asked earlier
    config._rootpath = neutral  # noqa: SLF001


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
