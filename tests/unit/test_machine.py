"""A real QEMU that runs a boot sector, under TCG, which works everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from needs import need_programs
from sshd import until

from pytest_ixy import programs
from pytest_ixy.errors import LabError
from pytest_ixy.nics import expected
from pytest_ixy.providers.qemu import disks, monitor, nics, recorder, saved
from pytest_ixy.providers.qemu.image import Image
from pytest_ixy.providers.qemu.machine import Hardware, Machine, nic_name
from pytest_ixy.providers.qemu.saved import Saved

TALK = bytes.fromhex("baf803 b041 ee ebfb")
"""mov dx, 0x3f8; mov al, 'A'; out dx, al; jmp to the mov: writes to the serial port for ever."""
HELLO = bytes.fromhex("baf803 b048 ee b049 ee f4 ebfd")
"""The same with "HI", once."""

BARRIER = bytes.fromhex("0faef0 f4 ebfd")
"""mfence; hlt; jmp to the hlt."""
FENCE = re.compile(r"\b(lock|mfence|dmb)\b")
"""What of a host's processor makes it one."""


@pytest.fixture
def start(tmp_path):
    """Starts a machine that runs a boot sector; it is killed at the end."""
    need_programs("qemu-system-x86_64", "qemu-img", "setpriv")
    started = []

    def start(code, *, memory=64, restored=False, door=None):
        (tmp_path / "disk").write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
        disk = disks.overlay(tmp_path / "disk", "raw", tmp_path / "overlay.qcow2")
        hardware = Hardware(Image("boot-sector", tmp_path, kernel=False), "tcg", memory)
        console = tmp_path / f"{len(started)}.console"
        started.append(
            Machine(hardware, tag="test-machine", disk=disk, console=console, restored=restored, door=door)
        )
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


@pytest.fixture
def door(tmp_path):
    """A path that is longer than a socket's name may be."""
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    return folder / "test.qmp"


def test_a_machine_can_be_told_things_by_another_process(start, door):
    machine = start(HELLO, door=door)
    machine.connect()
    code = "import sys; from pathlib import Path; from pytest_ixy.providers.qemu import monitor"
    told = f"{code}; monitor.tell(Path(sys.argv[1]), 'stop')"
    subprocess.run([sys.executable, "-c", told, door], check=True)
    assert machine.do("query-status")["status"] == "paused"
    monitor.tell(door, "cont")
    assert machine.do("query-status")["status"] == "running"
    assert door.stat().st_mode & 0o077 == 0


def test_a_machine_made_anew_has_a_door_where_the_one_before_had_it(start, door):
    start(HELLO, door=door).kill()
    machine = start(HELLO, door=door)
    machine.connect()
    monitor.tell(door, "stop")
    assert machine.do("query-status")["status"] == "paused"


@pytest.mark.parametrize("model", nics.DEVICES)
def test_every_model_of_nic_comes_to_its_address_and_has_a_link(model, start, door):
    device = nics.DEVICES[model]
    if device.driver not in nics.offered():
        pytest.skip(f"this QEMU has no {model}")
    machine = start(HELLO, door=door)
    machine.connect()
    for slot in (6, 8):
        machine.do("netdev_add", type="user", id=f"tap-{slot}")
        mac, pci = f"52:54:00:16:01:0{slot}", f"0000:00:0{slot}.0"
        machine.plug(model=device.driver, backend=f"tap-{slot}", mac=mac, pci=pci, extra=device.properties)
        for up in (False, True):
            monitor.tell(door, "set_link", name=nic_name(f"tap-{slot}"), up=up)
    found = {one["slot"]: one["id"] for bus in machine.do("query-pci") for one in bus["devices"]}
    assert [f"0x{found[slot]['vendor']:04x}:0x{found[slot]['device']:04x}" for slot in (6, 8)] == [
        *expected(model) * 2
    ]


def test_what_qemu_refuses_and_a_machine_that_is_gone_are_lab_errors(start, door):
    machine = start(HELLO, door=door)
    machine.connect()
    with pytest.raises(LabError, match=r"QEMU refused set_link: .*nic-none"):
        monitor.tell(door, "set_link", name="nic-none", up=False)
    machine.kill()
    with pytest.raises(LabError, match=r"QEMU does not answer at test\.qmp"):
        monitor.tell(door, "stop")


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


def test_a_guests_memory_barrier_is_one(tmp_path):
    need_programs("qemu-system-x86_64")
    disk, log = tmp_path / "disk", tmp_path / "translated"
    disk.write_bytes(BARRIER.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    command = Hardware(Image("boot-sector", tmp_path, kernel=False), "tcg", 64).arguments()
    command += [
        "-drive",
        f"file={disk},format=raw",
        "-d",
        "out_asm",
        "-dfilter",
        "0x7c00..0x7cff",
        "-D",
        str(log),
    ]
    process = subprocess.Popen(command)
    try:
        assert until(lambda: log.exists() and "OUT:" in log.read_text())
    finally:
        process.kill()
        process.wait()
    assert FENCE.search(log.read_text())
