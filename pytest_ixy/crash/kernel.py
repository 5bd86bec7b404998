"""What a node's kernel said that nobody wants to read: oopses, warnings, killed programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINES, MOST = 60, 50
"""Lines of one event, and events, that are looked at."""

STAMP = re.compile(r"^(?:<\d+>)?\[\s*\d+\.\d+\]\s?(?:\[[ \w]+\]\s?)?")

OOPS = (
    r"(?:Internal error: )?Oops\b|general protection fault(?:, maybe)?[,:]|kernel BUG at |invalid opcode: |"
    r"divide error: |stack segment: |double fault: |Unable to handle kernel"
)
KILLED = r"(?:Memory cgroup out of memory|Out of memory): Killed process (?P<pid>\d+) \((?P<name>.{1,64}?)\)"

KINDS = (
    ("panic", r"Kernel panic - not syncing"),
    ("oops", OOPS),
    ("stall", r"rcu: INFO: rcu_\w+ (?:self-)?detected|watchdog: BUG: soft lockup|NMI watchdog: .*LOCKUP"),
    ("bug", r"BUG: |KASAN: |UBSAN: |list_(?:add|del) corruption|INFO: suspicious RCU"),
    ("warning", r"WARNING: .*\bat\b|.*NETDEV WATCHDOG: "),
    ("segfault", r"(?P<name>.{1,64})\[(?P<pid>\d+)\]: segfault at "),
    ("trap", r"traps: (?P<name>.{1,64})\[(?P<pid>\d+)\] "),
    ("out of memory", KILLED),
    ("hung task", r"INFO: task (?P<name>.{1,64}):(?P<pid>\d+) blocked for more than"),
    (
        "memory error",
        r".*\[Hardware Error\]|.*page allocation failure|DMAR: .*fault|AMD-Vi: .*(?:FAULT|EVENT)",
    ),
    ("file system", r"EXT4-fs error|.*Remounting filesystem read-only|Buffer I/O error"),
)
"""Kinds by the beginning of their first line; the first that fits counts."""

COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in KINDS)
TRACED = frozenset({"panic", "oops", "bug", "warning", "hung task", "stall", "memory error"})
"""Kinds that more lines follow."""

END = re.compile(r"---\[ end |^Kernel Offset: ")
WHO = re.compile(r"CPU: \d+ PID: (?P<pid>\d+) Comm: (?P<name>.{1,64}?) (?:Not tainted|Tainted|Kdump)")


@dataclass(frozen=True)
class Event:
    """One thing that a kernel said.

    Attributes:
        kind: One of `KINDS`.
        lines: What it said, without times.
        process: Name of the process that it was about or that ran, as far as it says.
    """

    kind: str
    lines: tuple[str, ...]
    process: str = ""


def events(text: str) -> list[Event]:
    """The events in a kernel's log or a console's, each once, in its order."""
    lines = [STAMP.sub("", line.rstrip("\r"))[:500] for line in text.replace("\r\n", "\n").split("\n")]
    found: dict[tuple[str, ...], Event] = {}
    at = 0
    while at < len(lines) and len(found) < MOST:
        event = _event(lines, at)
        at += len(event.lines) if event else 1
        if event:
            found.setdefault(event.lines[:1], event)
    return list(found.values())


def _event(lines: list[str], at: int) -> Event | None:
    """The event that begins with that line."""
    for kind, pattern in COMPILED:
        if begun := pattern.match(lines[at]):
            taken = tuple(_taken(lines, at)) if kind in TRACED else (lines[at],)
            return Event(kind, taken, begun.groupdict().get("name") or _who(taken))
    return None


def _taken(lines: list[str], at: int) -> Iterator[str]:
    """Its lines: to the mark at its end, to the end of some program, or to where the log ends."""
    for number, line in enumerate(lines[at : at + LINES]):
        if number and any(pattern.match(line) for kind, pattern in COMPILED if kind not in TRACED):
            return
        yield line
        if END.search(line):
            return


def _who(lines: tuple[str, ...]) -> str:
    return next((found["name"] for line in lines if (found := WHO.search(line))), "")
