"""Fixtures around the stand-in lab: `pytest_plugins = ["teravm.fixtures"]`."""

from __future__ import annotations

import shutil

import pytest

from teravm.lab import Lab
from teravm.machines import machines


@pytest.fixture(scope="module")
def standin_machines(tmp_path_factory):
    """The machines, set up once for all tests of a module."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("not installed: dpkg-deb")
    folder = tmp_path_factory.mktemp("standin")
    with machines(folder / "state") as hosts:
        lab = Lab(hosts)
        lab.install(folder / "packages")
        yield lab


@pytest.fixture
def standin(standin_machines):
    """The stand-in lab as each test finds it; what runs have left there is the test's to look at."""
    standin_machines.reset()
    return standin_machines
