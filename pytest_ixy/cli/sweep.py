"""`pytest-ixy sweep`: remove what killed runs left behind."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pytest_ixy.cli.terminal import say
from pytest_ixy.sweep import Swept
from pytest_ixy.timespan import clock

EPILOG = """Every run writes down what it makes before it makes it. What stands there of a run whose process
is dead is removed; runs that are going on, and held testbeds (--ixy-keep), are not touched. The next
run does the same by itself.

examples:
  pytest-ixy sweep --dry-run     only say what would be removed
  pytest-ixy sweep
  pytest-ixy sweep --forget RUN  the cloud that it was in is gone, and all it left with it
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "sweep",
        help="remove what killed runs left behind",
        description="Remove the processes and folders that killed runs left behind, and only these.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    which.add_argument("--forget", metavar="RUN", help="remove nothing, and never try again for that run")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sweep, or say what a sweep would do; 1 when something could not be removed."""
    from pytest_ixy import sweep

    if arguments.forget:
        return _forget(arguments.forget)
    done = list(map(_show_plan, sweep.survey()) if arguments.dry_run else map(_show, sweep.sweep()))
    if not done:
        say("No killed run has left anything.")
    _show_held()
    return 1 if any(swept.errors for swept in done) else 0


def _forget(name: str) -> int:
    from pytest_ixy import sweep

    forgotten = sweep.forget(name)
    if forgotten is None:
        say(f"No killed run {name!r} has left anything.", sys.stderr)
        return 1
    say(f"{name}: forgotten. If it is still there, remove by hand:{_listed(forgotten.removed)}")
    return 0


def _show_held() -> None:
    """What is there and has not been swept, because somebody wants it."""
    from pytest_ixy import runs

    for visit in runs.known():
        if visit.until is not None:
            node = next(iter(visit.accesses))
            say(f"{visit.run}: held until {clock(visit.until)}")
            say(f"  pytest-ixy ssh {node} --run {visit.run}\n  pytest-ixy release {visit.run}")


def _show_plan(swept: Swept) -> Swept:
    say(f"{swept.run}: would remove{_listed(swept.removed)}")
    return swept


def _show(swept: Swept) -> Swept:
    say(f"{swept.run}: removed{_listed(swept.removed)}")
    for error in swept.errors:
        say(f"{swept.run}: could not remove {error}", sys.stderr)
    return swept


def _listed(things: tuple[str, ...]) -> str:
    return "".join(f"\n  {thing}" for thing in things) or " nothing but its ledger"
