"""What kernels and sanitizers said during the trial: `console`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.crash.kernel import Event, events
from pytest_ixy.crash.reports import reports
from pytest_ixy.rules.finding import ALONE, Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule, Severity
from pytest_ixy.rules.words import count, one_line, shortened

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle, NodeRecord
    from pytest_ixy.rules.evidence import Evidence

LIMIT = 1 << 18
"""Bytes that are read of each text."""
LINES, LISTED = 20, 10


def judge_console(evidence: Evidence) -> Finding:
    """See `CONSOLE`."""
    nodes = [node for node in evidence.manifest.nodes if _heard(evidence.bundle, node)]
    if not nodes:
        return skipped("console", ALONE if evidence.alone else "no console is on record")
    said = [(node.name, event) for node in nodes for event in _events(evidence.bundle, node)]
    said += [found for role in evidence.manifest.roles for found in _complaints(evidence, role)]
    numbers = {"nodes": len(nodes), "events": len(said)}
    if not said:
        return passed("console", f"nothing grave on {count(len(nodes), 'console')}", numbers)
    titles = list(dict.fromkeys(_title(name, event) for name, event in said))
    more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""  # noqa: PLR2004
    lines = [line for name, event in said[:LISTED] for line in _lines(name, event)]
    return failed("console", "; ".join(titles[:3]) + more, numbers, lines)


def _heard(bundle: Bundle, node: NodeRecord) -> bool:
    """Whether anything of it can be read, or its kernel was asked and had nothing to say."""
    named = [file for file in (node.console, node.kernel) if file]
    return any(bundle.inside(file).is_file() for file in named) or (not named and node.after is not None)


def _events(bundle: Bundle, node: NodeRecord) -> list[Event]:
    """Each once, whether the console tells it, the kernel's log, or both."""
    console = bundle.text(node.console, limit=LIMIT, start=node.spoken) if node.console else ""
    log = bundle.text(node.kernel, limit=LIMIT) if node.kernel else ""
    return events(f"{log}\n{console}")


def _complaints(evidence: Evidence, role: str) -> list[tuple[str, Event]]:
    """What a sanitizer had to say of a role."""
    output = evidence.bundle.text(evidence.manifest.roles[role].log, limit=LIMIT)
    return [(role, Event(found.what, found.lines)) for found in reports(output) if found.sanitizer]


def _title(name: str, event: Event) -> str:
    who = f" of {one_line(event.process)}" if event.process else ""
    return f"{name}: {one_line(event.kind)[:100]}{who}"


def _lines(name: str, event: Event) -> list[str]:
    return [_title(name, event), *(f"  {shortened(one_line(line))}" for line in event.lines[:LINES])]


CONSOLE = Rule(
    "console",
    "While the trial ran, no node's kernel complained, on its console or in its log, and no sanitizer in "
    "what a role printed. Complaints are a panic, oops, bug, warning, stall or hung task, a program ended "
    "by a segmentation fault or another trap, or killed because memory was short, and hardware and file "
    "system errors.",
    judge_console,
    Severity("report"),
)
