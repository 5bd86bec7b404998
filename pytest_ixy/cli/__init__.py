"""The `pytest-ixy` command: all that is not a test run."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from pytest_ixy import __version__
from pytest_ixy.errors import IxyError, UsageError

FINE, FOUND, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

DESCRIPTION = "Look after the machines that `pytest --ixy-repo=…` runs network drivers in."
EPILOG = """examples:
  pytest-ixy doctor                  what does this machine lack, and what mends it?
  pytest-ixy image build             build and boot the machine image now, not in the first run
  pytest-ixy image list              what is kept, and how large it is
  pytest-ixy image remove --old      make room
  pytest-ixy builds list             which builds are kept for later runs?
  pytest-ixy sweep                   remove what killed runs left behind
  pytest-ixy status                  which runs go on, and which testbeds are held?
  pytest-ixy ssh fwd                 a shell where fwd ran, on a testbed that is held
  pytest-ixy logs fwd -f             what fwd said, and goes on to say
  pytest-ixy release                 end a held testbed
  pytest-ixy judge capture.pcap      ask the rules about a capture that is there already
  pytest-ixy rules                   what are the rules, and what can be set?
  pytest-ixy gate --junit report.xml --require 'teravm/*'
                                     may a release go on?

exit status: 0 all is well; 1 something is in the way or could not be done; 2 the command line is wrong

To test a driver:
  pytest --ixy-repo=OWNER/NAME --html=report.html
and to look at its machines when it fails:
  pytest --ixy-repo=OWNER/NAME --ixy-keep=failed
"""


COMMANDS = (
    "doctor",
    "image",
    "builds",
    "sweep",
    "judge",
    "rules",
    "status",
    "ssh",
    "logs",
    "release",
    "gate",
)
"""Each is a module of this package."""


def _parser(first: str) -> argparse.ArgumentParser:
    """The parser; when the first word is a command, of no other: each imports what it needs."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="pytest-ixy", description=DESCRIPTION, epilog=EPILOG, formatter_class=form
    )
    parser.add_argument("--version", action="version", version=f"pytest-ixy {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name in [first] if first in COMMANDS else COMMANDS:
        importlib.import_module(f"pytest_ixy.cli.{name}").add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; no traceback for what a user can cause."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    parser = _parser(arguments[0] if arguments else "")
    try:
        own, words = _split(arguments)
        parsed = parser.parse_args(own, argparse.Namespace(words=words))
        if parsed.command is None:
            parser.print_help(sys.stderr)
            return USAGE
        before = signal.signal(signal.SIGTERM, _end)
        try:
            return int(parsed.run(parsed))
        finally:
            signal.signal(signal.SIGTERM, before)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # `pytest-ixy … | head`
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - what is still to be written goes there
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return FOUND
    except (IxyError, OSError) as error:
        print(f"pytest-ixy: {error}", file=sys.stderr)  # noqa: T201
        return _interrupted(error) or (USAGE if isinstance(error, UsageError) else FOUND)


def _interrupted(error: BaseException | None) -> int:
    """The status of what was interrupted, if the error was met while everything was taken down; else 0."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(error, SystemExit):
            return TERMINATED
        error = error.__context__
    return 0


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is for us, and what stands behind `--` for another: argparse mixes the two up."""
    if arguments[:1] != ["ssh"] or "--" not in arguments:
        return list(arguments), []
    place = list(arguments).index("--")
    return list(arguments[:place]), list(arguments[place + 1 :])


def _end(_number: int, _frame: object) -> None:
    """Unwind on SIGTERM as on Ctrl-C, so that everything is taken down."""
    raise SystemExit(TERMINATED)
