"""A real QEMU that runs a boot sector, under TCG, which works everywhere."""

from __future__ import annotations

import threading

import pytest
from needs import need_programs
from sshd import until

from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import disks, recorder
from pytest_ixy.providers.qemu.image import Image
from pytest_ixy.providers.qemu.machine import Hardware, Machine

TALK = bytes.fromhex("baf803 b041 ee ebfb")
"""mov dx, 0x3f8; mov al, 'A'; out dx, al; jmp to the mov: writes to the serial port for ever."""
HELLO = bytes.fromhex("baf803 b048 ee b049 ee f4 ebfd")
"""The same with "HI", once."""


@pytest.fixture
def start(tmp_path):
    """Starts a machine that runs a boot sector; it is killed at the end."""
    need_programs("qemu-system-x86_64", "qemu-img", "setpriv")
    started = []

    def start(code, memory=64):
        (tmp_path / "disk").write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        disk = disks.overlay(tmp_path / "disk", "raw", tmp_path / "overlay.qcow2")
        hardware = Hardware(Image("boot-sector", tmp_path, kernel=False), "tcg", memory)
        machine = Machine(hardware, tag="test-machine", disk=disk, console=tmp_path / "a.console")
        started.append(machine)
        return machine

    yield start
    for machine in started:
        machine.kill()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ixy-recorder")]


def test_a_console_is_recorded_while_the_machine_runs(start):
    machine = start(HELLO)
    machine.connect()
    assert until(lambda: machine.console.read_bytes().endswith(b"HI"))
    machine.kill()
    assert machine.console.read_bytes().endswith(b"HI")


def test_a_console_has_a_bound_and_the_machine_runs_on(start, monkeypatch):
    monkeypatch.setattr(recorder, "CONSOLE", 5000)
    machine = start(TALK)
    machine.connect()
    assert until(lambda: machine.console.read_bytes().endswith(recorder.ENDS))
    assert machine.do("query-status")["status"] == "running"
    assert machine.console.stat().st_size == 5000 + len(recorder.ENDS)


def test_why_qemu_does_not_start_is_told(start):
    machine = start(HELLO, memory=-1)
    with pytest.raises(LabError, match=r"QEMU did not start for test-machine: .*-m"):
        machine.connect()
