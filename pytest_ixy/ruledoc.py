"""The rules in words, for a terminal and as Markdown: docs/rules.md, and the table in README.md."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from pytest_ixy.errors import UsageError
from pytest_ixy.rules import Rule
from pytest_ixy.rules.rule import LEVELS, SEVERITY

WIDTH = 100
BEGIN, END = "<!-- rules: written by scripts/docs -->", "<!-- end of rules -->"

HEAD = """# Rules

Written by `scripts/docs` from the rules themselves; `pytest-ixy rules` shows the same.

A rule that is broken does what its severity says:

| severity | in pytest | `pytest-ixy judge` |
|---|---|---|
| `fail` | the test fails | exit status 1 |
| `report` | the test passes, is counted as `reported`, and the summary tells why | told; exit status 0 |
| `off` | the test is skipped | skipped |

Severity and options are set in the target's `ixy-ci.toml` or in `config.toml`,

```toml
[rules.NAME]
severity = "fail"
OPTION = 1
```

or with `--ixy-set=NAME.OPTION=VALUE` (`pytest-ixy judge --set NAME.OPTION=VALUE`). The later wins:
`ixy-ci.toml`, `config.toml`, pytest's ini file, the environment, the command line. What counted is
written into the bundle's manifest, and a replay goes by it unless the environment or the command line
says otherwise.

Words: *N* is the number of packets asked for. A *packet of the dialect* is a UDP packet with the
[dialect's](dialects.md) UDP length, a payload that starts as the dialect says, and all its bytes captured.
It is *numbered* when its sequence number is below 2^32.
"""


def sentence(rule: Rule) -> str:
    """The first sentence of its summary."""
    return re.split(r"(?<=\.)(?<!e\.g\.)(?<!i\.e\.) ", rule.summary)[0]


def page(rules: Iterable[Rule]) -> str:
    """docs/rules.md."""
    rules = list(rules)
    return "\n".join([HEAD, table(rules), *map(_section, rules)])


def table(rules: Iterable[Rule], page: str = "") -> str:
    """A row for each rule, linked to its section on a page, by default the one that the table stands on."""
    rows = [
        f"| [`{rule.name}`]({page}#{rule.name}) | {rule.severity.words} | {_cell(sentence(rule))} |"
        for rule in rules
    ]
    return "\n".join(["| rule | severity | passes when |", "|---|---|---|", *rows, ""])


def with_table(text: str, rules: Iterable[Rule], page: str) -> str:
    """The text with the table between its two marks written anew; UsageError where they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"there is no {BEGIN} … {END} to write the table into")
    return f"{before}{BEGIN}\n\n{table(rules, page)}\n{END}{after}"


def _section(rule: Rule) -> str:
    parts = [f"## {rule.name}", textwrap.fill(rule.summary, WIDTH, break_on_hyphens=False)]
    parts += ["```text\n" + "\n".join(_formula(rule, WIDTH)) + "\n```"] if rule.formula else []
    parts += [f"Severity: {rule.severity.words}."]
    if rule.options:
        head = ["| option | default | may be | what |", "|---|---|---|---|"]
        rows = [
            f"| `{one.name}` | {one.default} | {one.bounds} | {_cell(one.help)} |" for one in rule.options
        ]
        parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def listing(rules: Iterable[Rule]) -> list[str]:
    """A line for each rule, for a terminal."""
    rows = [("rule", "severity", "passes when")]
    rows += [(rule.name, rule.severity.words, sentence(rule)) for rule in rules]
    name, severity = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{row[0]:<{name}}  {row[1]:<{severity}}  {row[2]}" for row in rows]


def definition(rule: Rule) -> list[str]:
    """All there is to say about a rule, for a terminal."""
    lines = [rule.name, *textwrap.wrap(rule.summary, WIDTH - 2, break_on_hyphens=False)]
    lines += ["", *_formula(rule, WIDTH - 2)] if rule.formula else []
    lines[1:] = [f"  {line}".rstrip() for line in lines[1:]]
    lines += ["", f"  set with --ixy-set={rule.name}.OPTION=VALUE, or in [rules.{rule.name}] of a toml:"]
    options = [(SEVERITY, rule.severity.words, "what it does when broken", ", ".join(LEVELS))]
    options += [(one.name, f"{one.default}", one.help, one.bounds) for one in rule.options]
    for name, default, what, bounds in options:
        lines += [f"    {name} = {default}", *(f"      {text}" for text in textwrap.wrap(what, WIDTH - 6))]
        lines += [f"      {bounds}"]
    return lines


def _formula(rule: Rule, width: int) -> list[str]:
    """Its lines, those that are too long wrapped."""
    lines = [textwrap.wrap(line, width, break_on_hyphens=False) for line in rule.formula.strip().splitlines()]
    return [part for wrapped in lines for part in wrapped or [""]]
