"""Compares what a trial found with what the catalogue says, and prints tables and rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from catalogue import Mode, Variant
from trials import Result

Verdict = Literal["detected", "missed", "more than expected", "hidden", "not asked", "lab error"]


@dataclass(frozen=True)
class Trial:
    """One run of one variant; without a variant, of the sound target."""

    variant: Variant | None
    mode: Mode
    number: int = 1

    @property
    def name(self) -> str:
        """Unique, and fit for a folder."""
        if self.variant is None:
            return f"sound-{self.number:02}-{self.mode}"
        return f"{self.variant.name}@{self.mode}" if self.variant.mode == "both" else self.variant.name

    @property
    def packets(self) -> int:
        """How many it is run with."""
        return self.variant.packets if self.variant else 20_000


@dataclass(frozen=True)
class Comparison:
    """What was found, against what was expected.

    Attributes:
        red: Tests that failed.
        reported: Rules that were broken without failing.
        missed: Tests that should have turned red, or report, and did not.
        surplus: Tests that did and should not have.
        pending: Expected ones that were not asked: their rule is not there yet.
        named: Roles that localise names.
    """

    trial: Trial
    red: frozenset[str]
    reported: frozenset[str]
    missed: frozenset[str]
    surplus: frozenset[str]
    pending: frozenset[str]
    named: frozenset[str]
    error: bool

    @property
    def located(self) -> bool:
        """Whether localise names the one role that is at fault."""
        return self.trial.variant is not None and self.named == {self.trial.variant.role}

    @property
    def verdict(self) -> Verdict:
        """In one word. A sound target without findings is `detected` as such."""
        if self.error:
            return "lab error"
        if self.missed:
            return "missed"
        if self.surplus:
            return "more than expected"
        if self.trial.variant and not self.trial.variant.detectable:
            return "hidden"
        return "not asked" if self.pending and not (self.red | self.reported) else "detected"


def compare(trial: Trial, result: Result) -> Comparison:
    """Hold a result against the catalogue."""
    red = {name for name, outcome in result.told.items() if outcome == "failed"}
    reported = {name for name, outcome in result.told.items() if outcome == "reported"}
    must_fail = set(trial.variant.must_fail) if trial.variant else set()
    must_report = set(trial.variant.must_report) if trial.variant else set()
    expected = must_fail | must_report
    missed = (must_fail - red) | (must_report - red - reported)
    allowed = expected | set(trial.variant.may_fail if trial.variant else ())
    return Comparison(
        trial=trial,
        red=frozenset(red),
        reported=frozenset(reported),
        missed=frozenset(missed & result.outcomes.keys()),
        surplus=frozenset((red | reported) - allowed),
        pending=frozenset(expected - result.outcomes.keys()),
        named=result.named,
        error=not result.told or "error" in result.told.values(),
    )


def line(found: Comparison) -> str:
    """One row of the table."""
    kinds = {
        word: getattr(found, word) for word in ("red", "reported", "missed", "surplus", "pending", "named")
    }
    parts = [f"{word}: {_short(names)}" for word, names in kinds.items() if names]
    return "  ".join([f"{found.trial.name:38} {found.verdict:18}", *parts]).rstrip()


def _short(names: frozenset[str]) -> str:
    return " ".join(sorted(name.removeprefix("capture-") for name in names))


def rates(found: Iterable[Comparison]) -> Iterator[str]:
    """The figures: a line each."""
    all_of_them = list(found)
    sound = [one for one in all_of_them if one.trial.variant is None]
    broken = [one for one in all_of_them if one.trial.variant and one.trial.variant.detectable]
    hidden = [one for one in all_of_them if one.trial.variant and not one.trial.variant.detectable]
    asked = [one for one in broken if one.verdict != "not asked"]
    yield _rate("variants that turn a test red", [bool(one.red) for one in broken])
    yield _rate("variants that are red or reported", [bool(one.red | one.reported) for one in broken])
    red = [one for one in broken if one.red and not one.error]
    yield _rate("red variants of which localise names the role, and no other", [one.located for one in red])
    yield _rate("exactly as the catalogue says, of those asked", [one.verdict == "detected" for one in asked])
    yield _rate("variants that no trial can show, and none did", [one.verdict == "hidden" for one in hidden])
    yield _rate("sound runs without a finding", [one.verdict == "detected" for one in sound])


def _rate(what: str, hits: list[bool]) -> str:
    share = f" ({sum(hits) / len(hits):.1%})" if hits else ""
    return f"{what}: {sum(hits)} of {len(hits)}{share}"
