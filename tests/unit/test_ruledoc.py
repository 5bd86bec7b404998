"""The rules in words: the pages in the repository are up to date, and `pytest-ixy rules` says it all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_ixy import cli, ruledoc
from pytest_ixy.errors import UsageError
from pytest_ixy.rules import BUILT_IN, Option, Rule, Severity, rules

ROOT = Path(__file__).parents[2]
LOOSE = Rule(
    "loose",
    "Holds, e.g. here. N is a|b. More is said.",
    lambda evidence: None,
    Severity("report", declared="fail", providers={"qemu": "fail"}),
    (Option("slack", 0.5, "Share of x|y.", maximum=1), Option("most", 3, "How many.")),
    "x <= y\n  y > 0\n" + "word " * 40,
)


def test_docs_and_readme_are_what_scripts_docs_would_write():
    assert (ROOT / "docs/rules.md").read_text() == ruledoc.page(BUILT_IN), "run scripts/docs"
    readme = (ROOT / "README.md").read_text()
    assert ruledoc.with_table(readme, BUILT_IN, "docs/rules.md") == readme, "run scripts/docs"


@pytest.mark.parametrize("rule", BUILT_IN, ids=lambda rule: rule.name)
def test_every_rule_can_be_told_in_a_sentence(rule):
    said = ruledoc.sentence(rule)
    assert said.endswith(".")
    assert len(said) <= 220


def test_the_first_sentence_ends_at_the_first_full_stop():
    assert ruledoc.sentence(LOOSE) == "Holds, e.g. here."


def test_a_table_links_to_the_sections():
    first, second, row = ruledoc.table([LOOSE], "docs/rules.md").splitlines()
    assert (first.count("|"), second.count("|")) == (4, 4)
    assert row == f"| [`loose`](docs/rules.md#loose) | {LOOSE.severity.words} | Holds, e.g. here. |"


def test_a_page_has_all_of_a_rule():
    lines = ruledoc.page([LOOSE]).splitlines()
    for line in (
        "## loose",
        "Holds, e.g. here. N is a|b. More is said.",
        "x <= y",
        "  y > 0",
        "Severity: report; fail on qemu; fail for a declared dialect.",
        "| `slack` | 0.5 | a number from 0 to 1 | Share of x\\|y. |",
        "| `most` | 3 | a whole number from 0 | How many. |",
    ):
        assert line in lines
    assert "| option |" not in ruledoc.page([replace(LOOSE, options=())])


def test_a_page_without_marks_is_not_written_to():
    with pytest.raises(UsageError, match="to write the table into"):
        ruledoc.with_table(f"text {ruledoc.END} {ruledoc.BEGIN}", BUILT_IN, "")


@pytest.fixture
def said(capsys):
    def run(*arguments):
        assert cli.main(["rules", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_the_command_lists_all(said):
    lines = said().splitlines()
    assert [line.split()[0] for line in lines] == ["rule", *rules()]
    assert all(ruledoc.sentence(rule) in line for rule, line in zip(rules().values(), lines[1:], strict=True))


def test_the_command_defines_some(said):
    lines = said("size", "count").splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == ["size", "count"]
    assert "    severity = fail" in lines
    assert "  set with --ixy-set=size.OPTION=VALUE, or in [rules.size] of a toml:" in lines


def test_a_definition_has_formula_and_options():
    lines = ruledoc.definition(LOOSE)
    assert lines[lines.index("  x <= y") + 1] == "    y > 0"
    at = lines.index("    slack = 0.5")
    assert lines[at + 1 : at + 3] == ["      Share of x|y.", "      a number from 0 to 1"]
    assert "    severity = report; fail on qemu; fail for a declared dialect" in lines


def test_the_command_writes_the_page(said):
    assert said("--markdown") == ruledoc.page(rules().values())


def test_an_unknown_rule_is_a_usage_error(capsys):
    assert cli.main(["rules", "sizes"]) == 2
    assert "did you mean 'size'?" in capsys.readouterr().err
