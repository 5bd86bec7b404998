"""What the provider qemu does without starting a machine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from needs import need_programs
from sshd import until

from pytest_ixy import programs
from pytest_ixy.bundle import ProviderRecord
from pytest_ixy.errors import UsageError
from pytest_ixy.providers.base import Testbed
from pytest_ixy.providers.qemu import accel
from pytest_ixy.providers.qemu.accel import Verdict
from pytest_ixy.providers.qemu.provider import Qemu
from pytest_ixy.settings import resolve
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


def settings(**given):
    return resolve(cli=given, environ={}, ini={})


def with_address(address, **given):
    """Settings with fwd's second NIC elsewhere."""
    return replace(settings(**given), pci=PciAddresses(fwd_dst=address))


def test_the_defaults_are_in_order():
    Qemu().check(settings())


@pytest.mark.parametrize("address", ["0000:00:06.0", "0000:00:0a.0", "0000:00:1F.0"])
def test_addresses_that_a_machine_has_are_in_order(address):
    Qemu().check(with_address(address))


@pytest.mark.parametrize(
    "address",
    ["0001:00:07.0", "0000:01:07.0", "0000:00:07.1", "0000:00:00.0", "0000:00:05.0", "0000:00:20.0", "07.0"],
)
def test_addresses_that_no_machine_has_are_refused(address):
    with pytest.raises(UsageError, match=rf"{address} \(PCI_ADDR_FWD_DST\)") as caught:
        Qemu().check(with_address(address))
    assert "0000:00:06.0" in caught.value.hint


def test_an_image_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="There is no image"):
        Qemu().check(settings(image=str(tmp_path / "none.qcow2")))


def test_an_image_that_is_none_is_refused(tmp_path):
    need_programs("qemu-img")
    image = tmp_path / "spoiled.qcow2"
    image.write_bytes(b"QFI\xfb" + b"\xff" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        Qemu().check(settings(image=str(image)))


def test_a_raw_image_is_in_order(tmp_path):
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    Qemu().check(settings(image=str(tmp_path / "disk")))


def test_kvm_by_name_where_there_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(accel, "DEVICE", tmp_path / "kvm")
    Qemu().check(settings(accel="auto"))
    with pytest.raises(UsageError, match=f"KVM was asked for, but there is no {tmp_path}/kvm"):
        Qemu().check(settings(accel="kvm"))


def test_kvm_by_name_that_runs_no_boot_sector_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(accel, "probe", lambda _folder: Verdict(works=False, reason="it hangs"))
    with pytest.raises(UsageError, match="it hangs"):
        Qemu().check(settings(accel="kvm"))


def test_what_the_lab_lacks_is_no_fault_of_the_question(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "EXTRA_PATH", ())
    monkeypatch.setattr(accel, "DEVICE", Path("/dev/null"))
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    Qemu().check(settings(image=str(tmp_path / "disk"), accel="kvm"))
