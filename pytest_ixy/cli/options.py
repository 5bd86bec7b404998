"""The options that these commands share with pytest, under the same names."""

from __future__ import annotations

import argparse
import os

from pytest_ixy.options import OPTIONS
from pytest_ixy.settings import Settings, resolve

SHARED = ("config", "image", "accel", "memory", "offline")


def add(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add what tells the machines of a run: `--ixy-accel` and so on; and `more` options by name."""
    group = parser.add_argument_group("what runs will be told", "the same options as pytest's, see there")
    for option in OPTIONS:
        if option.name not in {*SHARED, *more}:
            continue
        text = f"{option.help}. Also {option.variable}".replace("%", "%%")
        if option.type is bool:
            group.add_argument(option.flag, action="store_true", default=None, dest=option.key, help=text)
        else:
            group.add_argument(option.flag, metavar=option.metavar, dest=option.key, help=text)


def settings(arguments: argparse.Namespace) -> Settings:
    """What the command line, the environment and config.toml say; UsageError when it is wrong."""
    given = {option.name: getattr(arguments, option.key, None) for option in OPTIONS}
    return resolve(cli=given, environ=os.environ, ini={})
