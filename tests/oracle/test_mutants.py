"""The tool that changes the rules can tell a change that is noticed from one that is not."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import mutations

MUTANTS = Path(__file__).with_name("mutants.py")
CODE = "def larger(a, b):\n    return a if a > b else b\n"
TESTS = """\
from code_to_change import larger

def test_larger():
    assert (larger(1, 2), larger(2, 1), larger(3, 3)) == (2, 2, 3)
"""


def tried(folder: Path, code: str, tests: str) -> tuple[int, list[str]]:
    (folder / "code_to_change.py").write_text(code)
    (folder / "test_it.py").write_text(tests)
    command = [
        sys.executable,
        MUTANTS,
        "--only",
        folder / "code_to_change.py",
        "--tests",
        folder / "test_it.py",
    ]
    path = os.pathsep.join([str(folder), str(MUTANTS.parents[2])])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_an_equivalent_change_survives(tmp_path):
    line = "in `return a if a > b else b`"
    survivor = f"SURVIVED code_to_change.py:2 `a > b` -> `a >= b` {line}"
    assert tried(tmp_path, CODE, TESTS) == (1, [survivor, "1 SURVIVED"])


def test_a_change_that_matters_is_killed(tmp_path):
    code = CODE.replace("a > b", "a - b > 0")
    status, lines = tried(tmp_path, code, TESTS)
    outcomes = {line.split("` in")[0] for line in lines}
    assert status == 1
    assert "KILLED   code_to_change.py:2 `a - b` -> `a + b" in outcomes
    assert lines[-1] == "2 KILLED, 1 SURVIVED"


def test_tests_that_fail_without_a_change_prove_nothing(tmp_path):
    status, lines = tried(tmp_path, CODE, TESTS.replace("== (2", "== (3"))
    assert (status, lines) == (2, ["the tests fail on the code as it is"])


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("a < b <= c", ["a <= b <= c", "a < b < c"]),
        ("x = a and not b", ["a or not b", "b"]),
        ("a[b:c]", [":c", "b:"]),
        ("f(True, 2)", ["False", "3"]),
        ("f'{a + 1}'", []),
        ("'a text'", []),
        ("if TYPE_CHECKING:\n    a + b", []),
        ("A = NDArray[1]", []),
    ],
)
def test_what_is_changed(tmp_path, code, changes):
    path = tmp_path / "code.py"
    path.write_text(code)
    assert [ast.unparse(mutation.new) for mutation in mutations(path)] == changes
