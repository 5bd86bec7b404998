"""`pytest-ixy ssh`: go to the spot where a role was run, on a testbed that is held or in use."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import say
from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.timespan import clock

if TYPE_CHECKING:
    from pytest_ixy.runs import Visit
    from pytest_ixy.spots import Spot

EPILOG = """You are root, in the folder where the role was run, with its variables set (PCI_ADDR_…, PCAP_OUT,
PCAP_N), so that the command line that is printed can be typed again. On a held testbed the roles are
stopped.

examples:
  pytest-ixy ssh fwd
  pytest-ixy ssh fwd -- lspci -k
  pytest-ixy ssh fwd -- 'timeout 5 ./fwd $PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST'
  pytest-ixy ssh pcap --run 1f3a        of another run than the newest, see pytest-ixy status

What stands behind -- is for a shell, as with ssh. The exit status is the command's.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "ssh",
        usage="pytest-ixy ssh [-h] [--run RUN] ROLE [-- COMMAND ...]",
        help="a shell where a role ran",
        description="Open a shell, or run a command, on the node of a role.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", metavar="ROLE", help="pktgen, fwd or pcap")
    parser.add_argument("--run", dest="name", metavar="RUN", help="or a part of its name (the newest)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Become the system's ssh."""
    from pytest_ixy import programs, runs, shell, spots

    visit = runs.find(arguments.name)
    if arguments.role not in visit.accesses:
        nodes = ", ".join(visit.accesses) or "none yet"
        raise UsageError(f"{visit.run} has no node {arguments.role[:40]!r}.", hint=f"its nodes are: {nodes}")
    access, scratch = visit.accesses[arguments.role], Path(visit.scratch)
    spot, command = spots.find(scratch, arguments.role), " ".join(arguments.words)
    _introduce(visit, arguments.role, spot, brief=bool(command))
    program, *words = shell.words(access, scratch)
    if not command:
        words.append("-t")
    os.execv(programs.find(program), [program, *words, shell.remote(access, spot, command)])  # noqa: S606


def _introduce(visit: Visit, role: str, spot: Spot, *, brief: bool) -> None:
    state = "which goes on" if visit.until is None else f"held until {clock(visit.until)}"
    say(f"{role} of {visit.run}, {state}", sys.stderr)
    if spot.command and not brief:
        say(f"Its command line here, for root, is:\n  {one_line(spot.command)}", sys.stderr)
