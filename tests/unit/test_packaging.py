"""What is installed is complete, and what is pinned is what pyproject.toml asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pytest_ixy import programs

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Debian 12's Python has none
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")


def tracked(folder):
    """Files of a folder of the checkout that belong into the wheel."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def build(kind, source, into):
    """Have the pinned backend build a `sdist` or `wheel` of a folder."""
    script = f"import hatchling.build, sys; print(hatchling.build.build_{kind}(sys.argv[1]))"
    command = [sys.executable, "-c", script, into]
    done = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A wheel from the checkout, and one by way of the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    straight = build("wheel", ROOT, folder)
    sdist = build("sdist", ROOT, folder)
    with tarfile.open(sdist) as tar:
        tar.extractall(folder, **SAFELY)
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    (folder / "again").mkdir()
    return {"checkout": straight, "sdist": build("wheel", unpacked, folder / "again")}


@pytest.mark.parametrize("source", ["checkout", "sdist"])
def test_the_wheel_holds_the_package_and_the_scenarios(built, source):
    with zipfile.ZipFile(built[source]) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    scenarios = {f"pytest_ixy/{name}" for name in tracked("scenarios")}
    assert files == tracked("pytest_ixy") | scenarios
    assert {
        "pytest_ixy/py.typed",
        "pytest_ixy/report/style.css",
        "pytest_ixy/remote/supervisor.bash",
        "pytest_ixy/scenarios/forward/test_forward.py",
    } <= files


def test_an_installed_package_finds_its_scenarios(built, tmp_path):
    with zipfile.ZipFile(built["checkout"]) as wheel:
        wheel.extractall(tmp_path)
    code = "from pytest_ixy import startup; print(startup.scenarios_folder())"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    found = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.strip() == str(tmp_path / "pytest_ixy" / "scenarios")


def locked():
    """All pins as requirements, each with its marker."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]


def asked():
    """What pyproject.toml asks for to run, to test and to build."""
    groups = PROJECT["dependency-groups"]
    texts = [*PROJECT["project"]["dependencies"], *groups["test"], *groups["lint"], *groups["build"]]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("wanted", asked(), ids=str)
def test_the_lock_file_has_what_is_asked_for(wanted, version):
    environment = {"python_version": version, "python_full_version": f"{version}.0", "sys_platform": "linux"}
    name = re.sub(r"[-_.]+", "-", wanted.name)
    pins = [pin for pin in locked() if pin.name == name]
    valid = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    assert len(valid) == 1, f"run scripts/lock: {wanted} is pinned {len(valid)} times for Python {version}"
    (exact,) = valid[0].specifier
    assert exact.version in wanted.specifier, "run scripts/lock"


def test_the_lock_file_names_no_place_to_download_from():
    assert not re.findall(r".*://.*|.*--.*index.*|.*find-links.*", (ROOT / "requirements.lock").read_text())


def test_the_build_backend_is_the_pinned_one():
    (backend,) = PROJECT["build-system"]["requires"]
    assert [backend] == PROJECT["dependency-groups"]["build"]


@pytest.mark.parametrize(("program", "package"), programs.PACKAGES.items())
def test_setup_installs_what_pytest_ixy_runs(program, package):
    for_run = (ROOT / "scripts" / "setup").read_text().split('for_run="')[1].split('"')[0]
    assert [program, package] in [line.split() for line in for_run.splitlines()]
