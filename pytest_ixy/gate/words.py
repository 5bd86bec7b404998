"""A decision in words, and as data for other programs."""

from __future__ import annotations

from typing import Any

from pytest_ixy.gate.decision import Decision, Point
from pytest_ixy.printable import one_line

_SHOWN, _WIDTH = 200, 60


def head(decision: Decision) -> str:
    """The first line, behind `open` or `closed`."""
    count, closing = len(decision.points), sum(point.closes for point in decision.points)
    passed = sum(point.state == "passed" for point in decision.points)
    if closing:
        return f"{closing} of {count} required results {'is' if closing == 1 else 'are'} in the way"
    return f"{passed} of {count} required results passed" + (
        ", the others may be as they are" * (passed < count)
    )


def rows(decision: Decision) -> list[tuple[str, str, str, bool]]:
    """State, id, reason, and whether it closes the gate: what closes it first, nothing of what passed."""
    told = [point for point in decision.points if point.state != "passed"]
    told.sort(key=lambda point: not point.closes)
    width = min(_WIDTH, max((len(_name(point)) for point in told), default=0))
    return [(point.state, f"{_name(point):<{width}}", one_line(point.why), point.closes) for point in told]


def cut(lines: list[str]) -> list[str]:
    """As many lines as somebody may want to read."""
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"  … and {more} more"] if more > 0 else lines


def _name(point: Point) -> str:
    name = one_line(point.id)
    return name if len(name) <= 2 * _WIDTH else name[: 2 * _WIDTH - 1] + "…"


def as_dict(decision: Decision) -> dict[str, Any]:
    """All of it as JSON has it."""
    return {
        "gate": "open" if decision.opens else "closed",
        "required": [_as_dict(point) for point in decision.points],
    }


def _as_dict(point: Point) -> dict[str, Any]:
    suite = point.result.suite if point.result else None
    return {
        "id": point.id,
        "state": point.state,
        "outcome": point.result.outcome if point.result else None,
        "closes": point.closes,
        "why": point.why,
        "report": suite.report if suite else None,
        "timestamp": suite.when.isoformat() if suite and suite.when else None,
    }
