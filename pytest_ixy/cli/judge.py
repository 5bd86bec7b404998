"""`pytest-ixy judge`: what the rules say about captures, without pytest and without a lab."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import coloured, say
from pytest_ixy.errors import UsageError
from pytest_ixy.thrift import thrift

if TYPE_CHECKING:
    from pytest_ixy.rules import Finding
    from pytest_ixy.verdict import Verdict

Ask = Callable[[str, Path], "_Answer"]
"""Takes a capture's name as the user wrote it, and the path where it can be read."""

EXIT = {"passed": 0, "failed": 1, "unjudgeable": 2}
COLOURS = {"passed": "32", "failed": "31;1", "reported": "33", "unjudgeable": "31;1", "skipped": "2"}
BROKEN = ("failed", "reported")

EPILOG = """A CAPTURE is a pcap or pcapng file, as it is or compressed with gzip or zstd, or - for standard
input. A BUNDLE is the folder that a trial left. From a capture alone `sent`, `exits`, `console`,
`leaks` and `preflight` cannot be judged and are skipped. So is `count` without --packets; `sequence-bounds`
then takes the number of packets found, which still shows numbers that were changed on the way.

A rule that is broken fails or only reports, by its severity: pytest-ixy rules lists them with their options.
What packets should look like is the dialect: c, rust, go and others, or a TOML file (docs/dialects.md). By
default what ixy-ci asks for counts. A bundle has on record what its trial was judged by.

examples:
  pytest-ixy judge capture.pcap --packets 100000
  pytest-ixy judge --guess capture.pcap         which dialect is it, and why?
  pytest-ixy judge --dialect rust capture.pcap
  pytest-ixy judge --set loss.severity=fail --set loss.max_ratio=0.01 capture.pcap
  pytest-ixy judge ixy-artifacts/*/             bundles, each by what its scenario asks
  pytest-ixy judge --json *.pcap.zst            one JSON object per capture and line
  ssh lab cat capture.pcap | pytest-ixy judge -

exit status: 0 every capture passed (rules may have reported) or was guessed about; 1 a rule failed; 2 a
capture cannot be judged (it is missing, empty, not a capture, cut, damaged, or of another link type), or the
command line is wrong. The highest one counts.
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
    dialect = parser.add_mutually_exclusive_group()
    dialect.add_argument(
        "--dialect",
        metavar="NAME|FILE",
        help="what the packets look like: a name such as rust, or a TOML file with a dialect; wins over what "
        "a bundle has on record",
    )
    parser.add_argument(
        "--set",
        metavar="RULE.OPTION=VALUE",
        action="append",
        default=[],
        help="set an option of a rule (order.max_ratio=0.01), or what a broken one does "
        "(order.severity=fail, report or off). Can be given several times; wins over what a bundle recorded",
    )
    dialect.add_argument(
        "--guess", action="store_true", help="judge nothing: propose the dialect that fits each capture best"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per capture and line")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show also what rules that passed have to say"
    )
    parser.set_defaults(run=run)


def _number(text: str) -> int:
    digits = text.replace("_", "")
    if not (digits.isascii() and digits.isdigit() and 0 < len(digits) <= 10 and int(digits)):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 on")
    return int(digits)


@dataclass(frozen=True)
class _Answer:
    """What there is to say about one capture: for machines, for people, and as exit status."""

    data: dict[str, Any]
    lines: list[str]
    status: int


def run(arguments: argparse.Namespace) -> int:
    """Judge each, or guess its dialect; the worst answer is the exit status."""
    from pytest_ixy.unpack import STDIN

    thrift.begin()
    if arguments.captures.count(STDIN) > 1:
        raise UsageError(f"Standard input ({STDIN}) can be judged once only.")
    ask = _guesser() if arguments.guess else _judge(arguments)
    worst = 0
    for name in arguments.captures:
        answer = _answer(name, ask)
        say(json.dumps(answer.data) if arguments.json else "\n".join(answer.lines))
        worst = max(worst, answer.status)
    return worst


def _judge(arguments: argparse.Namespace) -> Ask:
    """What judges a capture as the command line says."""
    from pytest_ixy.bare import open_any
    from pytest_ixy.dialect import find
    from pytest_ixy.rules import pick
    from pytest_ixy.terms import Terms, parse
    from pytest_ixy.verdict import give

    names = arguments.rules.split(",") if arguments.rules is not None else None
    rules = pick(list(dict.fromkeys(names))) if names else None
    dialect = find(arguments.dialect) if arguments.dialect is not None else None
    terms = Terms(dialect, parse(arguments.set))

    def ask(name: str, path: Path) -> _Answer:
        bundle = open_any(path, arguments.packets, terms)
        return _said(give(bundle, name, rules), verbose=arguments.verbose)

    return ask


def _guesser() -> Ask:
    """What proposes a dialect for a capture."""
    from pytest_ixy.bare import open_any
    from pytest_ixy.capture import CaptureFlaw, Flaw
    from pytest_ixy.cli import proposal
    from pytest_ixy.dialect import names, shipped
    from pytest_ixy.guess import guess

    dialects = [shipped(name) for name in names()]

    def ask(name: str, path: Path) -> _Answer:
        capture = open_any(path).capture
        if capture is None:
            raise CaptureFlaw(Flaw.MISSING, "there is no capture: pcap left none")
        found = guess(capture, dialects)
        return _Answer(proposal.as_dict(name, found), proposal.words(name, found), 0)

    return ask


def _answer(name: str, ask: Ask) -> _Answer:
    """What `ask` says; why it cannot be asked, otherwise."""
    from pytest_ixy.capture import CaptureFlaw
    from pytest_ixy.unpack import BrokenStreamError, plain
    from pytest_ixy.verdict import Problem, Verdict

    try:
        with plain(name) as path:
            return ask(name, path)
    except UsageError as error:
        problem = Problem("not a bundle", error.what)
    except BrokenStreamError as error:
        problem = Problem("broken compression", str(error))
    except CaptureFlaw as flaw:
        problem = Problem(flaw.kind.value, str(flaw))
    except OSError as error:
        problem = Problem("unreadable", f"it cannot be read: {error.strerror}")
    return _said(Verdict(name, problem=problem), verbose=False)


def _said(verdict: Verdict, *, verbose: bool) -> _Answer:
    return _Answer(verdict.as_dict(), _table(verdict, verbose=verbose), EXIT[verdict.word])


def _table(verdict: Verdict, *, verbose: bool) -> list[str]:
    """A line for the verdict, one for each rule, and below what broken rules have to show, or all."""
    from pytest_ixy.rules.words import one_line

    head = f"{one_line(verdict.capture)}: {coloured(verdict.word, COLOURS[verdict.word])}"
    lines = [f"{head}: {one_line(verdict.problem.words)}" if verdict.problem else head]
    width = max((len(finding.rule) for finding in verdict.findings), default=0)
    for finding in verdict.findings:
        outcome = coloured(f"{finding.outcome:<8}", COLOURS.get(finding.outcome, ""))
        lines.append(f"  {outcome} {finding.rule:<{width}}  {finding.title}")
    for finding in verdict.findings:
        if finding.message and (verbose or finding.outcome in BROKEN):
            lines += _message(finding)
    return lines


def _message(finding: Finding) -> list[str]:
    return ["", f"  {finding.rule}:", *(f"    {line}" for line in finding.message.splitlines())]
