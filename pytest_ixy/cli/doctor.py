"""`pytest-ixy doctor`: what this machine lacks, and the commands that mend it."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

from pytest_ixy.check import Check, State, as_root
from pytest_ixy.cli import options
from pytest_ixy.cli.terminal import mark, say

EPILOG = """Every check tries the thing itself where that is possible: QEMU is started, KVM has to run
something, networks are made and unmade. Nothing is changed or left behind.

  ok       fine
  warn     runs will work, but slower, later or less well
  MISSING  runs cannot work; the line below says what mends it

examples:
  pytest-ixy doctor
  pytest-ixy doctor --ixy-accel=kvm      KVM must work
  pytest-ixy doctor --ixy-provider=static --ixy-config=config.toml
                                         logs in to the hosts and looks at them
  pytest-ixy doctor --ixy-scenario=teravm --ixy-config=lab.toml
                                         the same for a TeraVM lab
  pytest-ixy doctor && pytest --ixy-repo=OWNER/NAME
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="say what this machine lacks, and what mends it",
        description="Say what this machine lacks to run network drivers in virtual machines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add(parser, "provider", "scenario")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per check as it is made; 1 when a run cannot work."""
    from pytest_ixy import doctor

    found = []
    for check in doctor.examine(options.settings(arguments)):
        found.append(check)
        _show(check)
    say()
    if packages := doctor.packages(found):
        say("To install what is missing:")
        say(f"  {install(packages)}")
        say()
    say(verdict(found))
    return 0 if doctor.can_run(found) else 1


def _show(check: Check) -> None:
    say(f"{mark(check.state, 7)}  {check.name:<16}  {check.text}")
    for line in check.mend.splitlines():
        say(f"{'':27}{line.strip()}")


def install(packages: list[str]) -> str:
    """The one command that installs the packages."""
    if shutil.which("apt-get"):
        return as_root(f"apt-get install {' '.join(packages)}")
    return f"{' '.join(packages)}   # Debian's names; use this system's own package manager"


def verdict(found: list[Check]) -> str:
    """The last line."""
    count = sum(check.state is State.MISSING for check in found)
    if not count:
        return "This machine can run pytest-ixy."
    return f"This machine cannot run pytest-ixy yet: {count} thing{'s are' if count > 1 else ' is'} missing."
