"""What the provider qemu does without starting a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sshd import until

from pytest_ixy.bundle import ProviderRecord
from pytest_ixy.providers.base import Testbed
from pytest_ixy.providers.qemu.provider import Qemu
from pytest_ixy.topology import PciAddresses, forward_topology


def handed_over(pid):
    """A testbed that another process owns, whose fwd is process `pid`."""
    record = ProviderRecord(name="qemu")
    return Testbed("run-1", forward_topology(PciAddresses()), record, (), {}, private={"pids": {"fwd": pid}})


@pytest.fixture
def sleeper():
    """A process with a machine's name among its words."""
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)", "-name", "run-1-fwd"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_a_machine_of_another_process_runs_until_it_ends(sleeper):
    assert Qemu().ended(handed_over(sleeper.pid), "fwd") is None
    sleeper.kill()
    # it stays a zombie: nobody has waited for it
    assert until(lambda: Qemu().ended(handed_over(sleeper.pid), "fwd") == "its QEMU has ended")
    assert Path(f"/proc/{sleeper.pid}").exists()


def test_a_process_that_took_a_dead_machines_number_is_not_the_machine():
    assert Qemu().ended(handed_over(os.getpid()), "fwd") == "its QEMU has ended"
