"""Rules: pure functions from a bundle to a finding. One family per file; this is the registry.

A third party adds a rule by an entry point of the group `pytest_ixy.rules` that names a `Rule`.
Names and summaries are cheap to get at: numpy and scapy are imported when a rule judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pytest_ixy.errors import UsageError
from pytest_ixy.rules.checksum import CHECKSUM
from pytest_ixy.rules.console import CONSOLE
from pytest_ixy.rules.content import PAYLOAD
from pytest_ixy.rules.ending import EXITS, judge_run
from pytest_ixy.rules.evidence import Evidence, Packet
from pytest_ixy.rules.finding import Finding, Outcome
from pytest_ixy.rules.foreign import FOREIGN
from pytest_ixy.rules.frame import SIZE, STRUCTURE
from pytest_ixy.rules.fresh import FRESH
from pytest_ixy.rules.leaks import LEAKS
from pytest_ixy.rules.loss import LOSS
from pytest_ixy.rules.order import ORDER
from pytest_ixy.rules.preflight import PREFLIGHT
from pytest_ixy.rules.rule import Option, Rule, Severity
from pytest_ixy.rules.sequence import BOUNDS, COUNT, DUPLICATES
from pytest_ixy.rules.timestamps import TIMESTAMPS
from pytest_ixy.rules.wholeness import COMPLETE, SENT
from pytest_ixy.rules.words import nearest

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle

__all__ = [
    "Evidence",
    "Finding",
    "Option",
    "Outcome",
    "Packet",
    "Rule",
    "Severity",
    "check_terms",
    "judge",
    "judge_run",
    "pick",
    "rules",
]

GROUP = "pytest_ixy.rules"
BUILT_IN = (
    COMPLETE, SENT, FRESH, COUNT, BOUNDS, DUPLICATES, SIZE, STRUCTURE,
    PAYLOAD, ORDER, LOSS, CHECKSUM, TIMESTAMPS, FOREIGN, EXITS, CONSOLE, LEAKS,
    PREFLIGHT,
)  # fmt: skip
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def rules() -> dict[str, Rule]:
    """All rules by name: the built-in ones in a fixed order, then those of other distributions.

    Raises:
        UsageError: another distribution's rule cannot be loaded, is no rule, or has a taken name.
    """
    return dict(_registry())


def pick(names: Iterable[str] | None = None) -> list[Rule]:
    """The rules of those names in that order, or all.

    Raises:
        UsageError: there is no rule of that name.
    """
    known = rules()
    names = list(known) if names is None else list(names)
    for name in names:
        if name not in known:
            hint = f"the rules are: {', '.join(known)}"
            raise UsageError(f"there is no rule {name!r}{nearest(name, known)}", hint=hint)
    return [known[name] for name in names]


def judge(bundle: Bundle, names: Iterable[str] | None = None) -> list[Finding]:
    """Ask the rules (all, unless names are given) about a trial; every one is asked, whatever others say."""
    evidence = Evidence(bundle)
    return [rule.judge(evidence) for rule in pick(names)]


def check_terms(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse options that no rule has; `tables` is keyed by rule and option.

    Raises:
        UsageError: there is no such rule or option, or it cannot have that value.
    """
    for name, terms in tables.items():
        (rule,) = pick([name])
        for option, value in terms.items():
            rule.check(option, value)


@cache
def _registry() -> dict[str, Rule]:
    known = {rule.name: rule for rule in BUILT_IN}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        rule = _load(entry)
        if rule.name in known:
            raise _broken(entry, f"its name {rule.name!r} is taken")
        known[rule.name] = rule
    return known


def _load(entry: EntryPoint) -> Rule:
    try:
        rule = entry.load()
    except Exception as error:  # whatever a stranger's module raises
        raise _broken(entry, f"{type(error).__name__}: {error}") from error
    if not isinstance(rule, Rule):
        raise _broken(entry, f"{entry.value} is not a pytest_ixy.rules.Rule")
    if not NAME.fullmatch(rule.name):
        raise _broken(entry, f"its name {rule.name!r} is not lower-case words joined by hyphens")
    return rule


def _broken(entry: EntryPoint, why: str) -> UsageError:
    owner = entry.dist.name if entry.dist else "an unknown distribution"
    what = f"the rule {entry.name!r} of {owner} cannot be used: {why}"
    return UsageError(what, hint=f"repair {owner} or uninstall it")
