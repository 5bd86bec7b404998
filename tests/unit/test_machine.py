"""A real QEMU that runs a boot sector, under TCG, which works everywhere."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from needs import need_programs
from sshd import until

from pytest_ixy import programs
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import disks, recorder, saved
from pytest_ixy.providers.qemu.image import Image
from pytest_ixy.providers.qemu.machine import Hardware, Machine
from pytest_ixy.providers.qemu.saved import Saved

TALK = bytes.fromhex("baf803 b041 ee ebfb")
"""mov dx, 0x3f8; mov al, 'A'; out dx, al; jmp to the mov: writes to the serial port for ever."""
HELLO = bytes.fromhex("baf803 b048 ee b049 ee f4 ebfd")
"""The same with "HI", once."""


@pytest.fixture
def start(tmp_path):
    """Starts a machine that runs a boot sector; it is killed at the end."""
    need_programs("qemu-system-x86_64", "qemu-img", "setpriv")
    started = []

    def start(code, *, memory=64, restored=False):
        (tmp_path / "disk").write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        disk = disks.overlay(tmp_path / "disk", "raw", tmp_path / "overlay.qcow2")
        hardware = Hardware(Image("boot-sector", tmp_path, kernel=False), "tcg", memory)
        console = tmp_path / f"{len(started)}.console"
        started.append(Machine(hardware, tag="test-machine", disk=disk, console=console, restored=restored))
        return started[-1]

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


def test_the_version_is_qemus_own(start):
    machine = start(HELLO)
    machine.connect()
    assert machine.version() in programs.output_of(["qemu-system-x86_64", "--version"]).stdout


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


@pytest.fixture
def state(start, tmp_path):
    """The saved state of a machine that writes for ever."""
    machine = start(TALK)
    machine.connect()
    assert until(lambda: machine.console.read_bytes().endswith(b"AAAA"))
    folder = tmp_path / "0123456789ab" / "state-x"
    folder.mkdir(parents=True)
    machine.save(folder / "memory")
    machine.kill()
    return Saved(folder)


def test_a_saved_machine_runs_on_where_it_stood(start, state):
    machine = start(TALK, restored=True)
    machine.connect()
    saved.restore(machine, state)
    assert until(lambda: machine.console.read_bytes().startswith(b"AAAA"))


def spoil(memory):
    content = bytearray(memory.read_bytes())
    content[len(content) // 2 :] = b"\xff" * 1000
    memory.write_bytes(content)


def more_memory(_memory):
    """A machine of another size is the one that is started."""


@pytest.mark.parametrize(
    ("harm", "size", "why"),
    [
        (spoil, 64, "load of migration failed"),
        (more_memory, 65, "migration"),
        (Path.unlink, 64, "No such file"),
    ],
)
def test_a_state_that_cannot_be_restored_is_told_with_what_mends_it(start, state, harm, size, why):
    harm(state.memory)
    machine = start(TALK, memory=size, restored=True)
    machine.connect()
    with pytest.raises(LabError, match=why) as caught:
        saved.restore(machine, state)
    assert "state-x" in caught.value.what
    assert "pytest-ixy image remove 0123456789ab" in caught.value.hint


def test_a_state_of_kvm_fits_only_the_processor_that_it_was_saved_on(tmp_path, monkeypatch):
    need_programs("qemu-system-x86_64")
    boxes = {kind: Hardware(Image("none", tmp_path, kernel=False), kind, 64) for kind in ("kvm", "tcg")}
    before = {kind: saved.find(box) for kind, box in boxes.items()}
    assert {kind: saved.find(box) for kind, box in boxes.items()} == before
    monkeypatch.setattr(saved, "_processor", lambda: ["model name\t: another"])
    assert saved.find(boxes["tcg"]) == before["tcg"]
    assert saved.find(boxes["kvm"]) != before["kvm"]


def test_the_processor_is_known_by_its_model_and_features():
    assert {line.partition("\t")[0] for line in saved._processor()} == saved.PROCESSOR
