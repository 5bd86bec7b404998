"""`pytest-ixy status`: which runs go on, and which testbeds are held."""

from __future__ import annotations

import argparse
import time
from typing import Any

from pytest_ixy.cli.terminal import age, say
from pytest_ixy.timespan import clock

EPILOG = """A testbed is held after pytest --ixy-keep=failed or =always, for an hour or --ixy-keep-for.

then:
  pytest-ixy ssh fwd         a shell where fwd ran, with its variables, as root
  pytest-ixy logs fwd -f     what it printed and prints
  pytest-ixy release         end it
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "status",
        help="list runs that go on and testbeds that are held",
        description="List the runs of this user that go on, and the testbeds that are held after theirs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """List them, the newest first."""
    from pytest_ixy import runs

    visits = runs.known()
    for visit in visits:
        say(f"{visit.run}: {_state(visit)}")
        for node, access in visit.accesses.items():
            say(f"  {node:<8} {access.address}")
    if not visits:
        say("No run goes on, and no testbed is held.")
    return 0


def _state(visit: Any) -> str:
    if not visit.accesses:
        return "has no machines yet"
    old = f"machines for {age(time.time() - visit.began)}"
    return f"goes on, {old}" if visit.until is None else f"held until {clock(visit.until)}, {old}"
