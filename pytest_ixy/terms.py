"""How to judge, as somebody asks for it: by which dialect, with which severities and options of rules."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field

from pytest_ixy.bundle import MANIFEST, Bundle
from pytest_ixy.dialect import Dialect
from pytest_ixy.errors import UsageError
from pytest_ixy.rules import check_terms, rules
from pytest_ixy.rules.finding import Number
from pytest_ixy.tomlfile import TomlFile

FORM = "RULE.OPTION=VALUE"
LONGEST = 200

Tables = dict[str, dict[str, Number]]
"""What options of rules are set to, by rule and option."""


@dataclass(frozen=True)
class Terms:
    """What somebody asks for.

    Attributes:
        dialect: What packets should look like; None where nobody said.
        rules: What is set of rules.
    """

    dialect: Dialect | None = None
    rules: Tables = field(default_factory=dict)

    def over(self, weaker: Terms) -> Terms:
        """These, and the weaker ones where these say nothing."""
        return Terms(self.dialect or weaker.dialect, _merged([weaker.rules, self.rules]))


def parse(texts: Iterable[str]) -> Tables:
    """Tables from texts such as `order.max_ratio=0.01`; of two about the same thing the later one counts.

    Raises:
        UsageError: one is not of that form, there is no such rule or option, or it cannot have that value.
    """
    return _merged(map(_parse, texts))


def _parse(text: str) -> Tables:
    name, equals, value = text.partition("=")
    rule, dot, option = name.strip().partition(".")
    if not (equals and dot) or len(text) > LONGEST:
        raise UsageError(f"{text[:80]!r} is not of the form {FORM}", hint="such as: order.severity=fail")
    table: Tables = {rule: {option: _value(value.strip())}}
    check_terms(table)
    return table


def _value(text: str) -> Number:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _merged(tables: Iterable[Tables]) -> Tables:
    found: Tables = {}
    for table in tables:
        for rule, terms in table.items():
            found.setdefault(rule, {}).update(terms)
    return found


def check_file(file: TomlFile, tables: Tables) -> None:
    """Check the `[rules.NAME]` of a file.

    Raises:
        UsageError: something of it cannot be set; the text names the line.
    """
    for rule, terms in tables.items():
        for option, value in terms.items():
            try:
                check_terms({rule: {option: value}})
            except UsageError as error:
                where = file.where(("rules", rule, option))
                raise UsageError(f"{where}: {error.what}", hint=error.hint) from None


def judged(bundle: Bundle, asked: Terms) -> Bundle:
    """The bundle, to be judged by what is on record and, over that, by what is asked for.

    What is on record of rules that are not installed here counts for nobody.

    Raises:
        UsageError: what is on record cannot be set; a bundle may come from anywhere.
    """
    record = bundle.manifest
    known = {name: terms for name, terms in record.rules.items() if name in rules()}
    try:
        check_terms(known)
    except UsageError as error:
        raise UsageError(f"{bundle.path / MANIFEST}: {error.what}", hint=error.hint) from None
    terms = asked.over(Terms(record.dialect, known))
    found = copy(bundle)
    found.manifest = record.model_copy(update={"dialect": terms.dialect, "rules": terms.rules})
    return found
