"""STAND-IN for an NG40 controller: a test list as data, a word and its values a line.

time SECONDS          what each case takes (default 0.2)
traffic off           no packets are sent and no captures made; the tables say what they would have counted
case NAME VERDICT     PASS, FAIL, INCONC and so on; NONE prints no verdict.
                      More words: loss=PERCENT, packets=NUMBER, time=SECONDS, unplanned
planned NAME          named in the run's log, and never run
print TEXT            as it is; `\\xff` and the like are bytes, `\\n` a new line
hang                  go on for ever, with tables
silence               go on for ever without a word
crash                 end at once, by KILL
cut TEXT              print without a new line, then crash
stubborn              from here on INT and TERM are of no use, and a child keeps the output open
verdict VERDICT       of the list, whatever the cases say; NONE prints none
status NUMBER         of the program, whatever the cases say
busy                  this list only tells whether the tester is idle
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Case:
    """A case, and how it goes."""

    name: str
    verdict: str
    packets: int = 5
    loss: float = 0.0
    time: float | None = None
    planned: bool = True


@dataclass
class Plan:
    """What a list holds; `steps` are cases and other words, in order."""

    name: str
    time: float = 0.2
    traffic: bool = True
    announce: bool = False
    verdict: str = ""
    status: int | None = None
    query: bool = False
    planned: list[str] = field(default_factory=list)
    steps: list[tuple[str, object]] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(word == "case" for word, _ in self.steps)


def read(file: Path) -> Plan:
    """Read a list; ValueError for a word that means nothing."""
    plan = Plan(file.name)
    for line in file.read_text(encoding="utf-8").splitlines():
        word, _, value = line.strip().partition(" ")
        if word and not word.startswith("#"):
            _take(plan, word, value)
    return plan


def _take(plan: Plan, word: str, value: str) -> None:
    if word == "case":
        case = _case(*value.split())
        plan.steps.append((word, case))
        plan.planned += [case.name] if case.planned else []
    elif word == "planned":
        plan.planned.append(value)
    elif word in {"print", "cut"}:
        plan.steps.append((word, _bytes(value)))
    elif word in {"hang", "silence", "crash", "stubborn"}:
        plan.steps.append((word, None))
    else:
        _set(plan, word, value)


def _set(plan: Plan, word: str, value: str) -> None:
    if word not in {"time", "traffic", "announce", "verdict", "status", "busy"}:
        raise ValueError(f"{word}: no word of a test list")
    if word == "time":
        plan.time = float(value)
    elif word == "traffic":
        plan.traffic = value != "off"
    elif word == "announce":
        plan.announce = True
    elif word == "verdict":
        plan.verdict = value
    elif word == "status":
        plan.status = int(value)
    else:
        plan.query = True


def _case(name: str, verdict: str, *words: str) -> Case:
    case = Case(name, verdict)
    for word in words:
        key, _, value = word.partition("=")
        if key == "unplanned":
            case.planned = False
        elif key == "packets":
            case.packets = int(value)
        elif key in {"loss", "time"}:
            setattr(case, key, float(value))
        else:
            raise ValueError(f"{word}: nothing that a case can be")
    return case


def _bytes(text: str) -> bytes:
    quoted = text.replace('"', '\\"')
    return bytes(ast.literal_eval(f'b"{quoted}"'))
