"""What a rule says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_ixy.printable import one_line, plain

Outcome = Literal["passed", "failed", "reported", "skipped"]
Number = int | float | str


ALONE = "a capture alone does not tell"
"""The cause of skipping what needs more of a trial than its capture."""


@dataclass(frozen=True)
class Finding:
    """What one rule says about one trial.

    Attributes:
        rule: Name of the rule.
        outcome: `reported` is a broken rule that fails nothing; `skipped` one that could not be made,
            with the cause in the title.
        title: One line with the numbers that matter.
        numbers: The same as data, builtin types only.
        message: Several lines for people, safe to print on a terminal (not escaped for HTML).
    """

    rule: str
    outcome: Outcome
    title: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    message: str = ""

    @property
    def failed(self) -> bool:
        """True when the target is to blame."""
        return self.outcome == "failed"

    def as_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "rule": self.rule,
            "outcome": self.outcome,
            "title": self.title,
            "numbers": dict(self.numbers),
            "message": self.message,
        }


def passed(rule: str, title: str, numbers: Mapping[str, Number], lines: Iterable[str] = ()) -> Finding:
    """The rule holds; the lines are for whoever wants to know more."""
    return Finding(rule, "passed", one_line(title), numbers, _message(lines))


def failed(rule: str, title: str, numbers: Mapping[str, Number], lines: Iterable[str] = ()) -> Finding:
    """The rule is broken; empty lines at the end of the message are dropped."""
    return Finding(rule, "failed", one_line(title), numbers, _message(lines))


def skipped(rule: str, cause: str) -> Finding:
    """The rule could not be judged."""
    return Finding(rule, "skipped", f"not judged: {one_line(cause)}")


def _message(lines: Iterable[str]) -> str:
    """Names of nodes, networks and roles stand in it, and a bundle may come from anywhere."""
    return "\n".join(line if line.isprintable() else plain(line) for line in lines).rstrip()
