"""`pytest-ixy judge`: what the rules say about captures, without pytest and without a lab."""

from __future__ import annotations

import argparse
import io
import json
import sys
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import coloured, say
from pytest_ixy.errors import UsageError
from pytest_ixy.thrift import thrift

if TYPE_CHECKING:
    from pytest_ixy.rules import Finding, Rule
    from pytest_ixy.verdict import Verdict

EXIT = {"passed": 0, "failed": 1, "unjudgeable": 2}
COLOURS = {"passed": "32", "failed": "31;1", "unjudgeable": "31;1", "skipped": "2"}

EPILOG = """A CAPTURE is a pcap or pcapng file, as it is or compressed with gzip or zstd, or - for standard
input. A BUNDLE is the folder that a trial left. From a capture alone `sent` and `exits` cannot be judged
and are skipped. So is `count` without --packets; `sequence-bounds` then takes the number of packets found,
which still shows numbers that were changed on the way.

examples:
  pytest-ixy judge capture.pcap --packets 100000
  pytest-ixy judge ixy-artifacts/*/             all that a bundle holds is judged
  pytest-ixy judge --json *.pcap.zst            one JSON object per capture and line
  ssh lab cat capture.pcap | pytest-ixy judge -

exit status: 0 every capture passed; 1 a rule failed; 2 a capture cannot be judged (it is missing, empty, not
a capture, cut, damaged, or of another link type), or the command line is wrong. The highest one counts.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "judge",
        help="judge captures and bundles without pytest",
        description="Ask the rules about captures or bundles that are there already.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("captures", metavar="CAPTURE|BUNDLE", nargs="+", help="what to judge")
    parser.add_argument(
        "--packets", type=_number, metavar="N", help="how many were asked for; a bundle says it itself"
    )
    parser.add_argument("--rules", metavar="A,B", help="ask these rules only")
    parser.add_argument("--json", action="store_true", help="one JSON object per capture and line")
    parser.set_defaults(run=run)


def _number(text: str) -> int:
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 10 and int(digits)):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 on")
    return int(digits)


def run(arguments: argparse.Namespace) -> int:
    """Judge each; the worst verdict is the exit status."""
    from pytest_ixy.rules import pick
    from pytest_ixy.unpack import STDIN

    thrift.begin()
    if arguments.captures.count(STDIN) > 1:
        raise UsageError(f"Standard input ({STDIN}) can be judged once only.")
    names = arguments.rules.split(",") if arguments.rules is not None else None
    rules = pick(list(dict.fromkeys(names)) if names else None)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    worst = 0
    for name in arguments.captures:
        verdict = _judge(name, arguments.packets, rules)
        say(json.dumps(verdict.as_dict()) if arguments.json else "\n".join(_table(verdict)))
        worst = max(worst, EXIT[verdict.word])
    return worst


def _judge(name: str, packets: int | None, rules: list[Rule]) -> Verdict:
    from pytest_ixy.bare import open_any
    from pytest_ixy.unpack import BrokenStreamError, plain
    from pytest_ixy.verdict import Problem, Verdict, give

    try:
        with plain(name) as path:
            return give(open_any(path, packets), name, rules)
    except UsageError as error:
        return Verdict(name, problem=Problem("not a bundle", str(error)))
    except BrokenStreamError as error:
        return Verdict(name, problem=Problem("broken compression", str(error)))
    except OSError as error:
        return Verdict(name, problem=Problem("unreadable", f"it cannot be read: {error.strerror}"))


def _table(verdict: Verdict) -> list[str]:
    """A line for the verdict, one for each rule, and below what failed rules have to show."""
    from pytest_ixy.rules.words import one_line

    head = f"{one_line(verdict.capture)}: {coloured(verdict.word, COLOURS[verdict.word])}"
    lines = [f"{head}: {one_line(verdict.problem.words)}" if verdict.problem else head]
    width = max((len(finding.rule) for finding in verdict.findings), default=0)
    for finding in verdict.findings:
        outcome = coloured(f"{finding.outcome:<8}", COLOURS.get(finding.outcome, ""))
        lines.append(f"  {outcome} {finding.rule:<{width}}  {finding.title}")
    for finding in verdict.findings:
        lines += _message(finding)
    return lines


def _message(finding: Finding) -> list[str]:
    if not finding.failed or not finding.message:
        return []
    return ["", f"  {finding.rule}:", *(f"    {line}" for line in finding.message.splitlines())]
