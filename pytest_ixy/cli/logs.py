"""`pytest-ixy logs`: what the roles, the builds and the machines said."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import say
from pytest_ixy.errors import UsageError

if TYPE_CHECKING:
    from pytest_ixy.logfiles import Source

PAUSE = 0.3
ARTIFACTS = "ixy-artifacts"

EPILOG = """Of a run that goes on or is held, or of the newest bundle in ./ixy-artifacts, whichever is newer.

examples:
  pytest-ixy logs                      the ends of all logs
  pytest-ixy logs fwd -n 500           more of what fwd, its build and its machine said
  pytest-ixy logs fwd -f               and what comes, until the run or the testbed ends
  pytest-ixy logs --run 1f3a           of that run
  pytest-ixy logs --run ixy-artifacts/2026-11-21T20-12-07-forward-ixy-1f3a
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "logs",
        help="what roles, builds and machines said",
        description="Show the output of roles and builds, and the consoles of machines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", metavar="ROLE", nargs="?", help="only of pktgen, fwd or pcap")
    parser.add_argument("--run", dest="name", metavar="RUN|BUNDLE", help="of which (the newest)")
    parser.add_argument("-n", "--lines", type=_count, default=30, metavar="N", help="lines of each log (30)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    """A number of lines."""
    if not text.isascii() or not text.isdigit() or len(text) > 6:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of lines")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Show the ends of the logs, then what comes to them."""
    from pytest_ixy.logfiles import Logs

    source = _source(arguments.name)
    logs = Logs(source.files, arguments.role, say)
    if not logs.show(arguments.lines, whole=arguments.follow):
        whose = f" of {arguments.role[:40]!r}" if arguments.role else ""
        say(f"There is no log{whose} in {source.folder}.", sys.stderr)
    while arguments.follow and source.goes_on:
        time.sleep(PAUSE)
        logs.go_on()
    return 0


def _source(name: str | None) -> Source:
    """Where logs are: of the run or bundle of that name, or of what is newest."""
    from pytest_ixy import runs
    from pytest_ixy.logfiles import Stored, Visited

    if name is not None:
        return Stored(Path(name)) if Path(name).is_dir() else Visited(runs.find(name))
    visits = [Visited(visit) for visit in runs.known() if visit.folder]
    bundles = [Stored(path) for path in Path(ARTIFACTS).glob("*/")]
    # of a run and its own bundle the run comes first: it has more to say
    found: list[Source] = [*visits, *bundles]
    if not found:
        what = f"No run goes on or is held, and there is no bundle in ./{ARTIFACTS}."
        raise UsageError(what, hint="--run=BUNDLE")
    return max(found, key=lambda source: source.changed)
