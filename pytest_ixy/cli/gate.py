"""`pytest-ixy gate`: do the results in JUnit reports meet a policy?"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import coloured, say
from pytest_ixy.errors import UsageError

if TYPE_CHECKING:
    from pytest_ixy.gate.decision import Decision
    from pytest_ixy.gate.policy import Policy

OPEN, CLOSED = 0, 1
PATTERNS = ("require", "flaky", "inconclusive", "allow")

EPILOG = """An ID is what a test has as property ixy.id: teravm/STEP, teravm/LIST, teravm/LIST/CASE or
teravm/rules/RULE. Reports of any other pytest have none; there it is CLASSNAME/NAME. In a PATTERN * is any
text (also /) and ? any sign; all else stands for itself. Each --require has to match a result, and all that
match have to pass: failed, inconclusive, skipped, missing or too old closes the gate, and so does error (the
lab could not tell).

Of several reports the newest result of a test counts; older ones only show that it may be flaky.

The same as a file, which can also give reasons and last days (docs/teravm.md):
  require = ["teravm/*"]
  max_age = "26h"
  [[allow]]
  id = "teravm/smoke/4G_M2AS_UDP"
  reason = "known: no licence for it"
  until = 2026-12-31

examples:
  pytest-ixy gate --junit report.xml --require 'teravm/smoke*'
  pytest-ixy gate --junit report.xml --policy gate.toml
  pytest-ixy gate --junit monday.xml --junit tuesday.xml --require 'teravm/*' --flaky 'teravm/smoke/*_UDP'
  pytest-ixy gate --junit last/report.xml --policy gate.toml --max-age 26h --about 'ixy.version=*-66d9b7be'

exit status: 0 open; 1 closed; 2 nobody can tell (a report that is missing, cut or no JUnit, or without a
time while there is a --max-age), or the command line or the policy is wrong
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "gate",
        help="open or closed, by JUnit reports and a policy",
        description="Decide by JUnit reports and a policy whether a release may go on, and say why.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--junit", metavar="FILE", action="append", required=True, help="a report; several times"
    )
    parser.add_argument("--policy", metavar="FILE", help="a gate.toml; the options below add to it")
    texts = (
        "what has to be there and pass",
        "what may fail if its retry, or another of the reports, shows that it passes",
        "what may be inconclusive",
        "what may fail or be inconclusive; it is told",
    )
    for name, text in zip(PATTERNS, texts, strict=True):
        parser.add_argument(
            f"--{name}", metavar="PATTERN", action="append", default=[], help=f"{text}; several times"
        )
    parser.add_argument(
        "--max-age", metavar="TIME", help="how old a result may be, such as 26h or 2d; its run's start counts"
    )
    parser.add_argument(
        "--about",
        metavar="NAME=PATTERN",
        action="append",
        default=[],
        help="count only reports with that property, such as the build that was tested; several times",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decide, and say it."""
    from pytest_ixy.gate import junit, words
    from pytest_ixy.gate.decision import decide

    policy = _policy(arguments)
    if not policy.require:
        raise UsageError(
            "Nothing is required.", hint="say what has to pass: --require 'teravm/*', or in --policy"
        )
    results = [result for name in arguments.junit for result in junit.read(Path(name))]
    decision = decide(policy, results, datetime.now(UTC))
    say(json.dumps(words.as_dict(decision)) if arguments.json else "\n".join(_lines(decision)))
    return OPEN if decision.opens else CLOSED


def _policy(arguments: argparse.Namespace) -> Policy:
    """The file's and the options'."""
    from pytest_ixy import tomlfile
    from pytest_ixy.gate.policy import Policy

    data = {name: getattr(arguments, name) for name in PATTERNS}
    data |= {"max_age": arguments.max_age, "about": dict(_pair(text) for text in arguments.about)}
    options = tomlfile.TomlFile("options", "", data).check(Policy)
    if arguments.policy is None:
        return options
    return tomlfile.read(Path(arguments.policy)).check(Policy).and_also(options)


def _pair(text: str) -> tuple[str, str]:
    name, equals, pattern = text.partition("=")
    if not equals:
        raise UsageError(f"--about {text[:80]!r} is not of the form NAME=PATTERN.")
    return name, pattern


def _lines(decision: Decision) -> list[str]:
    from pytest_ixy.gate import words

    word = coloured("open", "32") if decision.opens else coloured("closed", "31;1")
    lines = [
        f"  {coloured(f'{state:<12}', '31;1' if closes else '33')}  {name}  {why}".rstrip()
        for state, name, why, closes in words.rows(decision)
    ]
    return [f"{word}: {words.head(decision)}", *words.cut(lines)]
