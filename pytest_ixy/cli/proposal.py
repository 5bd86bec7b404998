"""`pytest-ixy judge --guess`: the dialect that fits a capture best, how the others do, and how to say so."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pytest_ixy.cli.terminal import coloured
from pytest_ixy.printable import one_line
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.guess import Fit, Guess

GREEN, DIM = "32", "2"


def as_dict(capture: str, guess: Guess) -> dict[str, Any]:
    """As plain data for JSON."""
    return {
        "capture": capture,
        "proposed": [dialect.name for dialect in guess.proposed],
        "frames": guess.frames,
        "packets": guess.packets,
        "problem": None,
        "ranking": [fit.as_dict() for fit in guess.ranking],
    }


def words(capture: str, guess: Guess) -> list[str]:
    """The same for people."""
    names = [dialect.name for dialect in guess.proposed]
    best = " or ".join(names) or "none fits"
    head = f"{one_line(capture)}: {coloured(best, GREEN if names else '')}{_tie(names)}"
    seen = f"  {count(guess.packets, 'UDP packet')} in a sample of {count(guess.frames, 'frame')}"
    width = max((len(fit.dialect.name) for fit in guess.ranking), default=0)
    return [head, seen, *(_row(fit, width) for fit in guess.ranking), *_use(capture, guess.proposed)]


def _tie(names: list[str]) -> str:
    return " (a tie: nothing in the capture tells them apart)" if len(names) > 1 else ""


def _row(fit: Fit, width: int) -> str:
    mark = coloured("fits", GREEN) if fit.fits else coloured("no  ", DIM)
    return f"  {mark} {fit.dialect.name:<{width}}  {'; '.join(fit.reasons)}"


def _use(capture: str, proposed: list[Dialect]) -> list[str]:
    """What to do with the proposal."""
    from pytest_ixy.dialect import DEFAULT

    if not proposed:
        return ["", "docs/dialects.md tells how to declare one in full."]
    name = proposed[0].name
    if name == DEFAULT:
        return ["", f"{name} is what counts without a word: nothing has to be declared."]
    command = f"pytest-ixy judge --dialect {name} {shlex.quote(one_line(capture))}"
    return [
        "",
        f"to judge by it:  {command}",
        f'to declare it:   dialect.name = "{name}" at the top of ixy-ci.toml',
    ]
