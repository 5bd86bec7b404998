"""What a rule is and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence

Outcome = Literal["passed", "failed", "reported", "skipped"]
Number = int | float | str


ALONE = "a capture alone does not tell"
"""The cause of skipping what needs more of a trial than its capture."""


@dataclass(frozen=True)
class Finding:
    """What one rule says about one trial.

    Attributes:
        rule: Name of the rule.
        outcome: `reported` is a finding that fails nothing; `skipped` one that could not be made,
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


@dataclass(frozen=True)
class Rule:
    """A question about a trial.

    Attributes:
        name: Lower case, digits and hyphens: it stands in test ids.
        summary: One paragraph that defines what passes.
        judge: A pure function from the evidence to the finding.
    """

    name: str
    summary: str
    judge: Callable[[Evidence], Finding]


def passed(rule: str, title: str, numbers: Mapping[str, Number]) -> Finding:
    """The rule holds."""
    return Finding(rule, "passed", title, numbers)


def failed(rule: str, title: str, numbers: Mapping[str, Number], lines: Iterable[str] = ()) -> Finding:
    """The rule is broken; empty lines at the end of the message are dropped."""
    return Finding(rule, "failed", title, numbers, "\n".join(lines).rstrip())


def skipped(rule: str, cause: str) -> Finding:
    """The rule could not be judged."""
    return Finding(rule, "skipped", f"not judged: {cause}")
