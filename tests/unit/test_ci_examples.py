"""The CI configurations in docs/ci: they are YAML, their scripts are bash, and what they call exists."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from pytest_ixy import cli

CI = Path(__file__).parents[2] / "docs" / "ci"
EXAMPLES = sorted(CI.glob("*.yml"))
TERAVM = sorted(CI.glob("teravm-*.yml"))
FOREIGN = re.compile(r"\$\{\{.*?\}\}|<<.*?>>")
ENDS = {"||", "&&", ";", "then", "|", "&", ")", "fi"}
BEGINNINGS = ENDS | {"if", "!"}
SCRIPTS = {"run", "command", "script", "before_script"}


def scripts(node, key=None):
    """All that a shell is given, in order."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from scripts(value, name if isinstance(value, (str, list)) else None)
    elif isinstance(node, list):
        for value in node:
            yield from scripts(value, key if isinstance(value, str) else None)
    elif isinstance(node, str) and key in SCRIPTS:
        yield FOREIGN.sub("true", node)


def commands(path, program):
    """Arguments of each call of a program."""
    for script in scripts(yaml.safe_load(path.read_text())):
        words, before = iter(_words(script)), ";"
        for word in words:
            if word.rpartition("/")[2] == program and before in BEGINNINGS:
                yield list(itertools.takewhile(lambda more: more not in ENDS, words))
            before = word


def _words(script):
    for line in script.replace("\\\n", " ").splitlines():
        split = shlex.shlex(line, posix=True, punctuation_chars=True)
        split.whitespace_split = True
        yield from split
        yield ";"


@pytest.fixture
def known(pytester):
    """Every option that pytest has with this plugin."""
    return set(pytester.parseconfig()._parser.optparser._option_string_actions)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_scripts_are_bash(path):
    found = list(scripts(yaml.safe_load(path.read_text())))
    assert found
    for script in found:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert not done.stderr, script


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_options_of_pytest_exist(path, known):
    calls = list(commands(path, "pytest"))
    assert calls
    for arguments in calls:
        flags = {word.partition("=")[0] for word in arguments}
        assert flags <= known
        assert any(flag.startswith("--ixy-") for flag in flags)


@pytest.mark.parametrize("path", TERAVM, ids=lambda path: path.stem)
def test_commands_of_ours_exist(path):
    calls = list(commands(path, "pytest-ixy"))
    assert len(calls) == 2
    for arguments in calls:
        parsed = cli._parser(arguments[0]).parse_args(arguments)
        assert parsed.command == "gate"
        assert parsed.policy == "ci/gate.toml"
    first, last = calls
    assert first == last, "a result that will do for the release is one that opens the gate"


@pytest.mark.parametrize("path", TERAVM, ids=lambda path: path.stem)
def test_the_gate_comes_last_and_reads_what_pytest_wrote(path):
    ours = [script for script in scripts(yaml.safe_load(path.read_text())) if "pytest-ixy gate" in script]
    assert len(ours) == 2
    assert ours[-1].strip().startswith("pytest-ixy gate")
    (pytest_call,) = commands(path, "pytest")
    (report,) = [word.partition("=")[2] for word in pytest_call if word.startswith("--junitxml=")]
    assert all(
        arguments[arguments.index("--junit") + 1] == report for arguments in commands(path, "pytest-ixy")
    )


@pytest.mark.parametrize("path", TERAVM, ids=lambda path: path.stem)
def test_no_old_report_is_left_where_a_new_one_is_to_come(path):
    (asking,) = [script for script in scripts(yaml.safe_load(path.read_text())) if "--junitxml=" in script]
    before, _, after = asking.partition("pytest --ixy-scenario=teravm")
    assert "rm -rf last\n" in before
    assert "|| [ $? -eq 1 ]" in after


LAST = """\
set -e
pytest() { mkdir -p last; echo new > last/report.xml; return "$STATUS"; }
pytest-ixy() { echo "gate: $(cat last/report.xml 2>&1)"; return "$GATE"; }
"""


@pytest.mark.parametrize(
    ("tag", "statuses", "ended", "report"),
    [
        ("latest", "0 0", 0, "new"),
        ("latest", "1 0", 0, "new"),
        ("latest", "1 1", 1, "new"),
        ("latest", "4 0", 1, "new"),
        ("66d9b7be", "4 0", 0, "old"),
        ("66d9b7be", "0 1", 1, "new"),
    ],
)
def test_a_release_asks_the_lab_where_the_last_result_will_not_do(tmp_path, tag, statuses, ended, report):
    for name in ("gitlab-ci", "circleci"):
        folder = tmp_path / name
        (folder / "last").mkdir(parents=True)
        (folder / "last/report.xml").write_text("old\n")
        whole = yaml.safe_load((CI / f"teravm-{name}.yml").read_text())
        ours = "\n".join(script for script in scripts(whole) if "pytest-ixy gate" in script)
        given = {"TAG": tag, "BUILD": "*", **dict(zip(("STATUS", "GATE"), statuses.split(), strict=True))}
        command = ["bash", "-c", LAST + ours]
        done = subprocess.run(command, cwd=folder, env={"PATH": "/usr/bin:/bin", **given}, check=False)
        assert done.returncode == ended
        assert (folder / "last/report.xml").read_text().strip() == report
