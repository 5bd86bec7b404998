"""A real OpenStack for the tests in here: the one that is kept up by hand, or one of the session's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import openstack
import pytest
from contents import contents
from needs import need_programs
from stack import control

HERE = Path(__file__).parent
GIVEN = os.environ.get("IXY_CLOUDS")
"""Path of a clouds.yaml: set by vm/run.py, whose cloud has machines."""
collect_ignore = [] if GIVEN else ["vm"]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("cloud")


@dataclass(frozen=True)
class Cloud:
    """An OpenStack.

    In its clouds.yaml: `tenant`, an ordinary user in a project of his own; `neighbour`, another in the same
    project; `other`, in another project; `admin`.
    """

    clouds: Path

    def connect(self, name):
        config = openstack.config.OpenStackConfig(config_files=[str(self.clouds)], load_envvars=False)
        return openstack.connection.Connection(config=config.get_one(name))


@pytest.fixture(scope="session")
def cloud():
    if GIVEN:
        yield Cloud(Path(GIVEN))
        return
    if control.by_hand().ready():
        yield Cloud(control.by_hand().clouds)
        return
    need_programs("mariadbd", "rabbitmq-server", "epmd", "unshare", "setpriv")
    stack = control.start()
    yield Cloud(stack.clouds)
    stack.end()


@pytest.fixture(scope="session")
def admin(cloud):
    with cloud.connect("admin") as connection:
        yield connection


@pytest.fixture(scope="session")
def tenant(cloud):
    with cloud.connect("tenant") as connection:
        yield connection


@pytest.fixture
def untouched(tenant):
    """What the tenant's project has afterwards is what it had before."""
    before = contents(tenant)
    yield before
    assert contents(tenant) == before
