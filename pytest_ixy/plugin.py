"""What pytest loads in every run of its environment: options, fixtures, and a switch.

Only with a repository to test, a lab, or a bundle to judge does anything else of pytest-ixy get imported.
"""

from __future__ import annotations

import argparse
import os

import pytest

from pytest_ixy import options

pytest_plugins = ["pytest_ixy.fixtures", "pytest_ixy.questions", "pytest_ixy.labfixtures"]

SUBJECTS = ("ixy_repo", "ixy_replay")
"""The options of which one is needed."""

QUESTIONS = ("help", "version", "showfixtures", "show_fixtures_per_test", "markers")
"""Options of pytest that ask something and run nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--ixy-…` options and their ini keys."""
    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """With something to judge and no path, collect the scenario that ships with the plugin."""
    if _wanted(early_config, early_config.known_args_namespace):
        from pytest_ixy import startup

        startup.prepare(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    """Get the target, so that its commit stands in the test ids."""
    if _wanted(config, config.option):
        from pytest_ixy import session

        session.start(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """With `-n auto`, start no more workers than can have a testbed at once."""
    if not _wanted(config, config.option):
        return None
    from pytest_ixy import startup, xdist

    settings = startup.settings_of(config)
    if settings.scenario == options.TERAVM:
        return 0  # there is one lab, whose steps come one after the other
    return xdist.workers(settings) if settings.targets else None


def _wanted(config: pytest.Config, option: argparse.Namespace) -> bool:
    """Whether there is something to judge, and tests are to be run or collected at all."""
    if any(getattr(option, question, None) for question in QUESTIONS):
        return False
    if options.TERAVM in {option.ixy_scenario, os.environ.get("IXY_SCENARIO"), config.getini("ixy_scenario")}:
        return True
    return any(map(_given, (option.ixy_repo, option.ixy_replay), SUBJECTS, map(config.getini, SUBJECTS)))


def _given(flag: str | list[str] | None, key: str, ini: str | list[str] | None) -> bool:
    # an empty --ixy-repo is a mistake that must not pass as "none"
    return flag is not None or bool(os.environ.get(key.upper()) or ini)
