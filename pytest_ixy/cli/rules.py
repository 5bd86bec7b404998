"""`pytest-ixy rules`: what the rules are, and what can be set."""

from __future__ import annotations

import argparse
from typing import Any

from pytest_ixy.cli.terminal import say

EPILOG = """examples:
  pytest-ixy rules                 name, severity, one sentence
  pytest-ixy rules order loss      the whole definition, and the options with their defaults
  pytest-ixy rules --markdown      the same as a page, which is docs/rules.md

To set one: --ixy-set=order.severity=fail, or in ixy-ci.toml or config.toml
  [rules.order]
  severity = "fail"        # fail, report (the test passes and the summary tells) or off
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rules",
        help="list the rules and their options",
        description="List the rules: what passes, what a broken one does, what can be set.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="RULE", nargs="*", help="define these; without one, list all")
    parser.add_argument("--markdown", action="store_true", help="as a page in Markdown")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List or define them."""
    from pytest_ixy import ruledoc
    from pytest_ixy.rules import pick

    rules = pick(arguments.names or None)
    if arguments.markdown:
        say(ruledoc.page(rules).rstrip())
    elif arguments.names:
        say("\n\n".join("\n".join(ruledoc.definition(rule)) for rule in rules))
    else:
        say("\n".join(ruledoc.listing(rules)))
    return 0
