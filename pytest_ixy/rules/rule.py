"""What a rule is: a question about a trial, how grave the answer is, and what can be set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_ixy.errors import UsageError
from pytest_ixy.rules.finding import Finding, Number, skipped
from pytest_ixy.rules.words import nearest

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence

Level = Literal["fail", "report", "off"]
LEVELS: tuple[Level, ...] = ("fail", "report", "off")
SEVERITY = "severity"
LARGE = 2**31 - 1
"""The upper bound of options that need none."""


@dataclass(frozen=True)
class Severity:
    """What a broken rule does when nobody has set it.

    Attributes:
        usual: Fail the test, or report without failing.
        declared: The same where the target declares its dialect; None for no difference.
        providers: The same for some providers.
    """

    usual: Level = "fail"
    declared: Level | None = None
    providers: Mapping[str, Level] = field(default_factory=dict)

    def of(self, provider: str, *, declared: bool) -> Level:
        """What counts for a trial."""
        if declared and self.declared:
            return self.declared
        return self.providers.get(provider, self.usual)

    @property
    def words(self) -> str:
        """Such as `report; fail on qemu`."""
        more = [f"{level} on {name}" for name, level in self.providers.items()]
        more += [f"{self.declared} for a declared dialect"] if self.declared else []
        return "; ".join([self.usual, *more])


@dataclass(frozen=True)
class Option:
    """A number that a user can set.

    Attributes:
        name: Lower case and underscores, as in `[rules.NAME]` of a toml file.
        default: What counts otherwise; its type is the option's.
        help: What it does, in one sentence.
        minimum, maximum: Bounds, both included.
    """

    name: str
    default: int | float
    help: str
    minimum: float = 0
    maximum: float = LARGE

    def of(self, terms: Mapping[str, Number]) -> float:
        """Its value among those that were set, which have been checked."""
        return float(terms.get(self.name, self.default))

    def problem(self, value: Any) -> str:
        """Why it cannot have that value; empty when it can."""
        right = (int,) if isinstance(self.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, right):
            return f"should be {self.kind}"
        if not self.minimum <= value <= self.maximum:
            return f"should be {self.kind} from {self.minimum:,g} to {self.maximum:,.10g}"
        return ""

    @property
    def kind(self) -> str:
        """In words."""
        return "a whole number" if isinstance(self.default, int) else "a number"

    @property
    def bounds(self) -> str:
        """Such as `a number from 0 to 1`."""
        upper = "" if self.maximum >= LARGE else f" to {self.maximum:g}"
        return f"{self.kind} from {self.minimum:g}{upper}"


@dataclass(frozen=True)
class Rule:
    """A question about a trial.

    Attributes:
        name: Lower case, digits and hyphens: it stands in test ids.
        summary: One paragraph that defines what passes.
        find: A pure function from the evidence to the finding; `failed` when the rule is broken.
        severity: What a broken rule does.
        options: What else can be set.
        formula: The definition in symbols, with its source; empty when the summary says it all.
    """

    name: str
    summary: str
    find: Callable[[Evidence], Finding]
    severity: Severity = Severity()
    options: tuple[Option, ...] = ()
    formula: str = ""

    def judge(self, evidence: Evidence) -> Finding:
        """The finding: a broken rule that only reports is `reported`."""
        level = evidence.terms(self.name).get(SEVERITY)
        level = level or self.severity.of(evidence.provider, declared=evidence.declared)
        if level == "off":
            return skipped(self.name, "switched off")
        finding = self.find(evidence)
        return replace(finding, outcome="reported") if finding.failed and level == "report" else finding

    def check(self, name: str, value: Any) -> None:
        """Refuse what cannot be set.

        Raises:
            UsageError: there is no such option, or it cannot have that value.
        """
        known = {option.name: option for option in self.options}
        if name == SEVERITY:
            problem = "" if value in LEVELS else f"should be one of {', '.join(LEVELS)}"
        elif name in known:
            problem = known[name].problem(value)
        else:
            hint = f"it has: {', '.join([SEVERITY, *known])}"
            near = nearest(name, [SEVERITY, *known])
            raise UsageError(f"the rule {self.name!r} has no option {name!r}{near}", hint=hint)
        if problem:
            raise UsageError(f"{name!r} of the rule {self.name!r} {problem}, not {str(value)[:40]!r}")
