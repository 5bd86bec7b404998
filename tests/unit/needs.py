"""What a test needs of the machine: it is skipped without."""

from __future__ import annotations

import functools
import secrets

import pytest

from pytest_ixy import programs
from pytest_ixy.errors import LabError


def lacking(reason):
    """Skip the running test; where CI is set, conftest.py makes it a failure."""
    pytest.skip(f"needs what is not here: {reason}")


def need_programs(*names):
    try:
        for name in names:
            programs.find(name)
    except LabError as error:
        lacking(error.what)


def need_networks():
    """Namespaces, bridges and taps, as root or as an ordinary user."""
    if reason := _why_no_networks():
        lacking(reason)


@functools.cache
def _why_no_networks():
    from pytest_ixy.providers.qemu.network import Networks
    from pytest_ixy.topology import Nic, Node, Topology

    node = Node("a", (Nic("n", "0000:00:06.0", "A"),))
    try:
        Networks(f"needs-{secrets.token_hex(4)}", Topology(("n",), (node,))).close()
    except LabError as error:
        return error.what
    return None
