"""What one line of the tester's output means: it may hold several things, whole or cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_ixy.ng40.lines import SEAM
from pytest_ixy.ng40.records import CASE, LONGEST_CASE, Loss

PASS, FAIL = "PASS", "FAIL"
KNOWN = (PASS, FAIL, "INCONC", "INCONCLUSIVE", "ERROR", "NONE")
"""Verdicts that are known to exist: the beginning of one is a cut one. Others are taken as they are."""

_START = re.compile(
    r"(?=Verdict\s*\(|Testlist verdict|Run test case(?!s)|[DU]L Loss\s*=|\*{4} Packet|Watchtime\s*:"
    r"|All Tests are|Wait for RAN|Signaling Table|User Plane)"
)
"""Where a line of the tester starts, also inside of another one whose end was lost."""
_WORD = (
    rf"=\s*VERDICT_((?:{'|'.join(sorted(KNOWN, key=len, reverse=True))})(?![A-Z_](?![a-z]))"
    r"|[A-Z][A-Z_]{0,39}?(?=[A-Z][a-z]|[^A-Z_]|$))"
)
"""A verdict, also one with something else right behind it: `PASSdone`, `FAILRun test case`."""
_CASE_VERDICT = re.compile(r"Verdict\s*\(([^()]*)\)\s*" + _WORD)
_LIST_VERDICT = re.compile(r"Testlist verdict\s*" + _WORD)
_NAMED = re.compile(r"Verdict\s*\(([^()]*)\)")
_RUN = re.compile(rf"Run test case[\s:='\"(]*(?:[0-9]+\s*(?:/|of)\s*[0-9]+[\s:]*)?({CASE.pattern})?")
_PLANNED = re.compile(r"Run test case(?!s)")
_LOSS = re.compile(
    r"(\w{1,20}) Loss\s*=\s*(\S{1,100}?)\s*=\s*(-?[0-9]{1,15})\s*\(pkts\)\s*;"
    r"\s*(-?[0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*\(%\)"
)
_LOSSY = re.compile(r"\w Loss\s*=")
_RUNNING = re.compile(r"Watchtime\s*:(?:\s*([0-9]{1,9})(?=\s+Timeout))?|Signaling Table|User Plane")
_OVER = re.compile(r"Wait for RAN|done\W*$")
_STRAY = re.compile(r"=\s*VERDICT_")
_SHOWN = 120


@dataclass(frozen=True)
class Judged:
    """A case got a verdict; None where that was cut off."""

    name: str
    word: str | None


@dataclass(frozen=True)
class ListJudged:
    """The list got a verdict."""

    word: str


@dataclass(frozen=True)
class Begun:
    """A case is about to run."""

    name: str


@dataclass(frozen=True)
class Lost:
    """A line of a loss table."""

    loss: Loss


@dataclass(frozen=True)
class Running:
    """Some case runs: a progress table, or a watch time, which has seconds."""

    watched: int | None = None


@dataclass(frozen=True)
class Over:
    """All has been said of a case."""


@dataclass(frozen=True)
class Flaw:
    """It cannot be read; why."""

    why: str


Event = Judged | ListJudged | Begun | Lost | Running | Over | Flaw


def events(text: str) -> Iterator[Event]:
    """All that a line says, in order; nothing for what does not matter."""
    if SEAM in text:
        yield Flaw("a very long line, whose middle was left out")
    for part in text.split(SEAM):
        for piece in _START.split(part):
            yield from _piece(piece)


def _piece(piece: str) -> Iterator[Event]:
    if piece.startswith("Verdict"):
        yield from _verdict(piece)
    elif piece.startswith("Testlist verdict"):
        yield _list_verdict(piece)
    elif _PLANNED.match(piece):
        yield _run(piece)
    elif _LOSSY.search(piece):
        yield _loss(piece)
    elif found := _RUNNING.match(piece):
        yield Running(int(found[1]) if found[1] else None)
    elif _OVER.match(piece):
        yield Over()
    elif _STRAY.search(piece):
        yield Flaw(f"a verdict whose beginning is missing: {shown(piece)}")


def _verdict(piece: str) -> Iterator[Event]:
    found = _CASE_VERDICT.match(piece) or _NAMED.match(piece)
    if not found:
        yield Flaw(f"a cut line: {shown(piece)}")
        return
    name = found[1].strip()
    if not _is_case(name):
        yield Flaw(f"a verdict of what is no name of a case: {shown(piece)}")
        return
    word = _complete(found[2]) if found.re is _CASE_VERDICT else None
    yield Judged(name, word)
    if word is None:
        yield Flaw(f"a cut line: {shown(piece)}")
    elif _STRAY.search(piece, found.end()):
        yield Flaw(f"a verdict whose beginning is missing: {shown(piece[found.end() :])}")


def _list_verdict(piece: str) -> Event:
    found = _LIST_VERDICT.match(piece)
    word = _complete(found[1]) if found else None
    return ListJudged(word) if word else Flaw(f"a cut line: {shown(piece)}")


def _run(piece: str) -> Event:
    found = _RUN.match(piece)
    name = (found[1] or "").rstrip(".") if found else ""
    return Begun(name) if _is_case(name) else Flaw(f"a case without a readable name: {shown(piece)}")


def _loss(piece: str) -> Event:
    found = _LOSS.search(piece)
    if not found:
        return Flaw(f"a loss that cannot be read: {shown(piece)}")
    percent = float(found[4].replace(",", "."))
    return Lost(Loss(direction=found[1], between=found[2], packets=int(found[3]), percent=percent))


def _complete(word: str) -> str | None:
    """The verdict, unless it is only the beginning of one."""
    return None if word not in KNOWN and any(known.startswith(word) for known in KNOWN) else word


def _is_case(name: str) -> bool:
    return len(name) <= LONGEST_CASE and CASE.fullmatch(name) is not None


def shown(text: str) -> str:
    """A piece of a line, short enough for a message."""
    text = text.strip()
    return f"`{text}`" if len(text) <= _SHOWN else f"`{text[:_SHOWN]}…`"
