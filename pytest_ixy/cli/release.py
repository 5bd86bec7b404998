"""`pytest-ixy release`: end held testbeds before their time."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import say
from pytest_ixy.errors import LabError, UsageError

if TYPE_CHECKING:
    from pytest_ixy.runs import Visit

PATIENCE = 60.0

EPILOG = """examples:
  pytest-ixy release             the one that is held
  pytest-ixy release 1f3a        the one with that in its name, see pytest-ixy status
  pytest-ixy release --all       all that are held
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "release",
        help="end a held testbed",
        description="Unmake the machines and networks of a held testbed (--ixy-keep). Bundles stay.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("name", metavar="RUN", nargs="?", help="the run, or a part of its name")
    which.add_argument("--all", action="store_true", help="all that are held")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """End what was asked for."""
    left = [visit.run for visit in _chosen(arguments.name, everything=arguments.all) if not _end(visit)]
    if left:
        raise LabError(f"{', '.join(left)} could not be unmade.", hint="pytest-ixy sweep, which tells why")
    return 0


def _chosen(name: str | None, *, everything: bool) -> list[Visit]:
    from pytest_ixy import runs

    held = [visit for visit in runs.known() if visit.until is not None]
    if name is not None:
        return [_held(runs.find(name))]
    if len(held) > 1 and not everything:
        names = ", ".join(visit.run for visit in held)
        raise UsageError(f"Several are held: {names}.", hint="name one, or --all")
    if not held:
        say("No testbed is held.")
    return held


def _held(visit: Visit) -> Visit:
    if visit.until is None:
        raise UsageError(f"{visit.run} goes on.", hint="end it where it was started, with Ctrl-C")
    return visit


def _end(visit: Visit) -> bool:
    """Tell the holder to end, and wait until it has; False when it could not remove everything."""
    from pytest_ixy import ledger, sweep
    from pytest_ixy.holding.owner import tag

    path, holder = ledger.path_of(visit.run), tag(visit.run)
    sweep.ask_to_end(holder)
    deadline = time.monotonic() + PATIENCE
    while (ledger.is_owned(path) or sweep.processes(holder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if path.exists():
        return False
    say(f"{visit.run}: released")
    return True
