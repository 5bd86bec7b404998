"""What pytest loads in every run of its environment: options, fixtures, and a switch.

Only with a repository to test does anything else of pytest-ixy get imported.
"""

from __future__ import annotations

import os

import pytest

from pytest_ixy import options

pytest_plugins = ["pytest_ixy.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--ixy-…` options and their ini keys."""
    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """With a repository to test and no path, collect the scenario that ships with the plugin."""
    if _repository(early_config, early_config.known_args_namespace.ixy_repo):
        from pytest_ixy import startup

        startup.prepare(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    """Get the target, so that its commit stands in the test ids."""
    if _repository(config, config.getoption("ixy_repo")):
        from pytest_ixy import session

        session.start(config)


def _repository(config: pytest.Config, given: str | None) -> str | None:
    return given or os.environ.get("IXY_REPO") or config.getini("ixy_repo") or None
