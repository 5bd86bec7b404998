"""Imports point one way, the judgement knows nothing of the lab, and unrelated pytest runs pay nothing."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pytest_ixy"

LAYERS = {
    "trials": "errors printable topology cases traffic course",
    "words": "timespan options paths parallel thrift tomlkeys record",
    "tables": "tomlfile recorded hosttable ng40 labtable",
    "files": "nics dialect nodestate leftovers crash bundle known series way",
    "captures": "capture source programs ledger undo spots",
    "tools": "check rules frames terms git remote config unsupported spec progress bare unpack",
    "parts": "cast given values wanted settings refs repository roles live sample guess ruledoc",
    "measures": "spoken rates change overtime soak",
    "visits": "runs shell logfiles crowd",
    "target and providers": "kept worktree pack target guests startup providers sweep origin replay",
    "what is tested": "absent subjects",
    "report": "report gate",
    "lab": "testbed teravm holding letting reference debugging probe postmortem aftermath",
    "trial": "alike build once manifest sampler memory meters stage retrieval trial lab",
    "pytest's hooks": "after outcomes keeping ending owning xdist labtests",
    "session": "labsession session alone passage recovery beginning lifecycle verdict",
    "pytest's door": "fixtures questions labfixtures plugin",
    "commands": "doctor cli",
}
"""A module or package imports from layers above its own only, also for types, also inside of functions.

Inside of a layer the order of the words counts: each may import from those to the left of it.
"""

JUDGEMENT = {
    "crash",
    "leftovers",
    "terms",
    "sample",
    "guess",
    "dialect",
    "bundle",
    "series",
    "way",
    "spoken",
    "rates",
    "change",
    "overtime",
    "soak",
    "bare",
    "capture",
    "unpack",
    "rules",
    "frames",
    "verdict",
    "report",
    "replay",
    "recovery",
    "beginning",
    "lifecycle",
    "ng40",
    "gate",
}
LAB = {
    "remote",
    "providers",
    "testbed",
    "debugging",
    "probe",
    "postmortem",
    "aftermath",
    "alike",
    "build",
    "once",
    "trial",
    "manifest",
    "lab",
    "roles",
    "retrieval",
    "ledger",
    "undo",
    "sweep",
    "session",
    "teravm",
}
LAB_LIBRARIES = {"paramiko", "pyroute2", "qemu", "socket", "subprocess"}

HEAVY = {"numpy", "scapy", "paramiko", "pydantic", "pyroute2", "qemu", "zstandard", "openstack", "filelock"}

ORDER = [unit for units in LAYERS.values() for unit in units.split()]


def unit_of(path):
    """The module or package right below pytest_ixy that a file is of."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if unit_of(path) != "__init__"]


def imported(path):
    """Dotted names of all that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            if node.module == "pytest_ixy":
                yield from (f"pytest_ixy.{alias.name}" for alias in node.names)
            else:
                yield node.module


@functools.cache
def units_imported_by(unit):
    """Other modules and packages of pytest_ixy that one imports."""
    names = [name.split(".") for path in FILES if unit_of(path) == unit for name in imported(path)]
    found = {name[1] for name in names if name[0] == "pytest_ixy" and len(name) > 1}
    return found - {unit, "__version__"}


def reached_from(units):
    """All that is imported by some modules, directly or not."""
    found, todo = set(), set(units)
    while todo:
        found |= todo
        todo = {name for unit in todo for name in units_imported_by(unit)} - found
    return found


@pytest.mark.parametrize("unit", sorted({unit_of(path) for path in FILES}))
def test_imports_point_one_way(unit):
    assert unit in ORDER, f"give {unit} a place in LAYERS"
    allowed = set(ORDER[: ORDER.index(unit)])
    assert units_imported_by(unit) <= allowed


def test_the_judgement_does_not_reach_the_lab():
    assert not reached_from(JUDGEMENT) & LAB


@pytest.mark.parametrize("path", [path for path in FILES if unit_of(path) in JUDGEMENT], ids=str)
def test_the_judgement_opens_no_connection_and_runs_no_program(path):
    assert not {name.split(".")[0] for name in imported(path)} & LAB_LIBRARIES


CONFTEST = """
import json, sys
def pytest_unconfigure():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Names of all modules that are loaded when an ordinary pytest run ends."""
    for name in ("IXY_REPO", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, check=True, capture_output=True)
    return json.loads((tmp_path / "modules.json").read_text())


def test_an_ordinary_pytest_run_loads_nothing_of_it_but_the_door(modules):
    ours = {name for name in modules if name.split(".")[0] == "pytest_ixy"}
    doors = ("plugin", "options", "fixtures", "questions", "labfixtures")
    assert ours == {"pytest_ixy", *(f"pytest_ixy.{door}" for door in doors)}
    assert not {name.split(".")[0] for name in modules} & HEAVY
