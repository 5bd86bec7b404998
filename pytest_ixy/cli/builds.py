"""`pytest-ixy builds list|remove`: the builds that are kept for later runs."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_ixy import paths
from pytest_ixy.cli.terminal import age, say, size
from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line

if TYPE_CHECKING:
    from pytest_ixy.kept import Stored

EPILOG = """A target with `build_once = true` in its ixy-ci.toml is built once for the same files, commands
and image; what was built is kept and sent to the nodes of later runs. Builds that nobody used for a
month go by themselves, and the oldest ones when all together are larger than 4 GiB.

examples:
  pytest-ixy builds list
  pytest-ixy builds remove 0123456789abcdef01234567
  pytest-ixy builds remove --all
"""


def add(commands: Any) -> None:
    """Add the command and its own commands to the parser."""
    text = "list or remove kept builds"
    parser = commands.add_parser("builds", help=text, description=f"{text.capitalize()}.", epilog=EPILOG)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(run=lambda _arguments: _usage(parser))
    inner = parser.add_subparsers(title="commands", metavar="COMMAND")
    inner.add_parser("list", help="show what is kept").set_defaults(run=show)
    removing = inner.add_parser("remove", help="remove kept builds")
    removing.add_argument("names", metavar="NAME", nargs="*", help="as `pytest-ixy builds list` shows them")
    removing.add_argument("--all", action="store_true", help="all")
    removing.set_defaults(run=remove)


def _usage(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return 2


def show(_arguments: argparse.Namespace) -> int:
    """List the builds in the cache."""
    from pytest_ixy import kept

    found = kept.stored()
    if not found:
        say(f"There is no build in {paths.builds_folder()}.")
        return 0
    say(f"{'NAME':<24}  {'SIZE':>10}  {'LAST USED':<11}  {'IMAGE':<18}  TARGET")
    for one in found:
        about = one.record()
        image, label = (about.image, about.label) if about else ("", "damaged")
        row = f"{one.name}  {size(one.size):>10}  {age(time.time() - one.used):<11}"
        say(f"{row}  {one_line(image):<18}  {one_line(label)}")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove the builds asked for."""
    from pytest_ixy import kept

    chosen = _chosen(arguments, kept.stored())
    for one in chosen:
        kept.remove(one.name)
        say(f"removed {one.name} ({size(one.size)})")
    if not chosen:
        say("There is nothing to remove.")
    return 0


def _chosen(arguments: argparse.Namespace, found: list[Stored]) -> list[Stored]:
    hint = "pytest-ixy builds list"
    if bool(arguments.names) == arguments.all:
        raise UsageError("Say which builds to remove: names or --all.", hint=hint)
    names = set(arguments.names)
    if unknown := names - {one.name for one in found}:
        raise UsageError(f"There is no kept build {one_line(min(unknown))[:80]!r}.", hint=hint)
    return [one for one in found if arguments.all or one.name in names]
