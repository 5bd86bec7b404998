"""How the roles ended: `exits`, and the same for one role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.crashing import place, told
from pytest_ixy.rules.finding import ALONE, Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import one_line, plain, shortened
from pytest_ixy.topology import PCAP, played

if TYPE_CHECKING:
    from pytest_ixy.bundle import Run
    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.finding import Number

ASKED = frozenset({"SIGINT", "SIGTERM"})
"""Dying of these is an orderly end for a program that was told to stop: C ixy has no signal handler."""

TAIL = 50


def judge_exits(evidence: Evidence) -> Finding:
    """See `EXITS`."""
    roles = evidence.manifest.roles
    never = [node.name for node in evidence.manifest.nodes if node.name not in roles]
    if not roles:
        return skipped("exits", ALONE if evidence.alone else "no role was started")
    bad = [finding for finding in (judge_run(role, run) for role, run in roles.items()) if finding.failed]
    numbers: dict[str, Number] = {"roles": len(roles), "wrong": len(bad) + len(never)}
    if broke := [role for role, run in roles.items() if _broke(role, run)]:
        numbers["broke"] = ", ".join(map(one_line, broke))
    if not bad and not never:
        return passed("exits", f"{', '.join(roles)} ended as they should", numbers)
    titles = [*(finding.title for finding in bad), *(f"{role} was never started" for role in never)]
    messages = [f"{finding.title}\n{finding.message}\n" for finding in bad]
    return failed("exits", "; ".join(titles), numbers, messages)


def _broke(role: str, run: Run) -> bool:
    """Whether its end is its own fault: a pcap that had to be stopped may have waited for what never came."""
    if played(role) != PCAP:
        return _problem(role, run) is not None and run.exit.status is not None
    return run.ended_itself and not run.exit.ok


def judge_run(role: str, run: Run) -> Finding:
    """How one role ended: pcap by itself with status 0, the others when they were told to stop."""
    problem = _problem(role, run)
    numbers = {"status": "unknown" if run.exit.status is None else run.exit.status}
    if problem is None and not run.stragglers:
        how = "by itself with status 0" if run.ended_itself else f"when told to stop ({run.stopped_by})"
        return passed("exits", f"{role} ended {how}", numbers)
    if run.stragglers:
        left = f"left {len(run.stragglers)} of its processes behind ({one_line(', '.join(run.stragglers))})"
        problem = f"{problem}, and {left}" if problem else left
    return failed("exits", f"{role} {problem}", numbers, _output(run))


def _problem(role: str, run: Run) -> str | None:
    """What is wrong with the end, as the rest of a sentence that starts with the role; None if nothing."""
    if violent := _violent(run):
        return violent
    if played(role) == PCAP:
        return _pcap_problem(run)
    if run.ended_itself:
        return f"ended by itself{_when(run)} with status {run.exit.status}; it should run until told to stop"
    return None


def _violent(run: Run) -> str | None:
    """Ends that are wrong for every role."""
    if run.exit.missing:
        return f"could not be started: no such program, or not executable (status {run.exit.status})"
    if run.stopped_by == "KILL":
        return "did not end when told to stop by INT and TERM and had to be killed"
    if run.exit.status is None and run.exit.signal is None:
        return "ended nobody knows how"
    return _crash(run)


def _pcap_problem(run: Run) -> str | None:
    if not run.ended_itself:
        return f"did not end by itself and was stopped ({run.stopped_by or 'how is not known'})"
    return None if run.exit.ok else f"ended with status {run.exit.status}{_when(run)}"


def _crash(run: Run) -> str | None:
    """A signal that nobody sent on purpose."""
    signal = run.exit.signal
    if signal is None or (signal in ASKED and not run.ended_itself):
        return None
    late = "" if run.ended_itself else ", after it was told to stop"
    core = f"; core pattern: {one_line(run.exit.core_pattern)}" if run.exit.core_pattern else ""
    return f"was ended by {one_line(signal)}{place(run.crash)}{_when(run)}{late}{'' if run.crash else core}"


def _when(run: Run) -> str:
    return "" if run.ended is None else f" {run.ended - run.started:.1f} s after its start"


def _output(run: Run) -> list[str]:
    tail = plain(run.tail).rstrip().splitlines()[-TAIL:]
    head = [f"command: {plain(run.command)}", *([f"log: {one_line(run.log)}"] if run.log else [])]
    return [
        *head,
        "last lines of its output:" if tail else "it printed nothing",
        *(f"  {shortened(line)}" for line in tail),
        *(told(run.crash) if run.crash else ()),
    ]


EXITS = Rule(
    "exits",
    "Each role ended as it should. pcap ended by itself with status 0; pktgen and fwd still ran when they "
    "were told to stop, and then ended on INT or TERM with whatever status. A crash, a missing program, an "
    "early end, the need to kill, and processes left behind break the rule.",
    judge_exits,
)
