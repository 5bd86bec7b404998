from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from needs import need_programs

from pytest_ixy import paths, programs
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.qemu import accel
from pytest_ixy.providers.qemu.accel import Verdict


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def device(monkeypatch):
    """Something in the place of /dev/kvm that this user may open."""
    need_programs("qemu-system-x86_64", "setpriv")
    monkeypatch.setattr(accel, "DEVICE", Path("/dev/null"))


@pytest.fixture
def tries(monkeypatch):
    """Fakes of the two tries; their calls are listed, and the answers can be set by name."""
    found = {
        "calls": [],
        "firmware": Verdict(works=True, reason="f"),
        "kernel": Verdict(works=True, reason="k"),
    }

    def fake(name):
        def answer(*_arguments):
            found["calls"].append(name)
            return found[name]

        return answer

    monkeypatch.setattr(accel, "_try_firmware", fake("firmware"))
    monkeypatch.setattr(accel, "_try_kernel", fake("kernel"))
    return found


def test_the_boot_sector_runs_in_a_real_qemu():
    """Under TCG, which works everywhere, so that a refusal of KVM means KVM."""
    need_programs("qemu-system-x86_64", "setpriv")
    assert accel._try_firmware(accel.TCG, 120) == Verdict(works=True, reason="TCG ran a boot sector")


def test_an_accelerator_that_qemu_does_not_know_is_refused():
    need_programs("qemu-system-x86_64", "setpriv")
    verdict = accel._try_firmware("nonsense", 120)
    assert not verdict.works
    assert "status 1" in verdict.reason


def test_a_guest_that_hangs_is_given_up_and_ended(monkeypatch):
    need_programs("qemu-system-x86_64", "setpriv")
    forever = bytes([0xEB, 0xFE]).ljust(510, b"\0") + b"\x55\xaa"  # jmp to itself
    monkeypatch.setattr(accel, "BOOT_SECTOR", forever)
    before = qemus()
    verdict = accel._try_firmware(accel.TCG, 2)
    assert verdict == Verdict(
        works=False, reason="a boot sector did not run under TCG within 2 s", sure=False
    )
    assert qemus() <= before


def qemus():
    done = subprocess.run(["pgrep", "-f", "isa-debug-exit"], capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def test_the_real_probe_answers_and_remembers(monkeypatch):
    need_programs("qemu-system-x86_64", "setpriv")
    verdict = accel.probe(None)
    assert verdict.reason
    if accel.DEVICE.exists() and os.access(accel.DEVICE, os.R_OK | os.W_OK):
        monkeypatch.setattr(accel, "_try_firmware", None)
        assert accel.probe(None) == verdict


def test_no_device_no_kvm(monkeypatch, tmp_path, tries):
    monkeypatch.setattr(accel, "DEVICE", tmp_path / "kvm")
    assert accel.probe(None) == Verdict(works=False, reason=f"there is no {tmp_path}/kvm")
    assert tries["calls"] == []


def test_the_kernel_is_tried_after_the_boot_sector(device, tries, tmp_path):
    assert accel.probe(tmp_path) == tries["kernel"]
    assert tries["calls"] == ["firmware", "kernel"]


def test_without_an_image_the_boot_sector_must_do(device, tries):
    assert accel.probe(None) == tries["firmware"]
    assert tries["calls"] == ["firmware"]


def test_the_kernel_is_not_tried_when_the_boot_sector_failed(device, tries, tmp_path):
    tries["firmware"] = Verdict(works=False, reason="hung")
    assert accel.probe(tmp_path) == tries["firmware"]
    assert tries["calls"] == ["firmware"]


def test_the_answer_is_remembered_for_each_image(device, tries, tmp_path):
    for _ in range(2):
        accel.probe(tmp_path / "one")
    accel.probe(tmp_path / "two")
    assert tries["calls"] == ["firmware", "kernel", "kernel"]


@pytest.mark.parametrize("text", ["", '{"works": tr', "5", '{"works": true}', "\udcff"])
def test_a_memory_that_is_spoiled_is_made_anew(device, tries, text):
    accel.probe(None)
    (memory,) = paths.state_folder().iterdir()
    memory.write_text(text, errors="surrogateescape")
    assert accel.probe(None).works
    assert json.loads(memory.read_text()) == {"works": True, "reason": "f", "sure": True}
    assert tries["calls"] == ["firmware", "firmware"]


@pytest.mark.parametrize(
    ("sure", "age", "tried"), [(True, 1e6, 1), (False, 60, 1), (False, 4000, 2), (False, -60, 2)]
)
def test_a_deadline_that_passed_is_remembered_for_an_hour(device, tries, sure, age, tried):
    tries["firmware"] = Verdict(works=False, reason="hung", sure=sure)
    accel.probe(None)
    (memory,) = paths.state_folder().iterdir()
    os.utime(memory, (time.time() - age,) * 2)
    assert accel.probe(None) == tries["firmware"]
    assert tries["calls"] == ["firmware"] * tried


@pytest.mark.parametrize(("sure", "tried"), [(True, 1), (False, 2)])
def test_who_asks_anew_is_told_no_old_doubt(device, tries, sure, tried):
    tries["firmware"] = Verdict(works=False, reason="hung", sure=sure)
    accel.probe(None)
    accel.probe(None, anew=True)
    assert tries["calls"] == ["firmware"] * tried


def test_answers_of_earlier_boots_are_forgotten(device, tries):
    folder = paths.state_folder()
    folder.mkdir(parents=True)
    (folder / "kvm-00000000-0123456789ab.json").write_text("{}")
    (folder / "other").write_text("")
    accel.probe(None)
    (memory,) = folder.glob("kvm-*")
    assert "kvm-00000000" not in memory.name
    assert (folder / "other").exists()


def test_a_state_folder_that_cannot_be_written_to_costs_only_time(device, tries, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert accel.probe(None).works


def test_without_qemu_the_package_is_named(device, tries, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "EXTRA_PATH", ())
    with pytest.raises(LabError, match="qemu-system-x86"):
        accel.probe(None)


@pytest.mark.parametrize(
    ("wish", "works", "chosen"), [("auto", True, "kvm"), ("kvm", True, "kvm"), ("auto", False, "tcg")]
)
def test_the_wish_and_what_works_decide(device, tries, wish, works, chosen):
    tries["firmware"] = Verdict(works=works, reason="because")
    accelerator, reason = accel.choose(wish, None)
    assert accelerator == chosen
    assert "because" in reason


def test_tcg_as_asked_needs_no_try(device, tries):
    assert accel.choose("tcg", None) == ("tcg", "TCG as asked")
    assert tries["calls"] == []


def test_kvm_by_name_where_it_does_not_work_is_refused(device, tries):
    tries["firmware"] = Verdict(works=False, reason="it hangs")
    with pytest.raises(UsageError, match="it hangs"):
        accel.choose("kvm", None)


def test_kvm_by_name_that_fails_with_the_kernel_only_is_the_labs_fault(device, tries, tmp_path):
    tries["kernel"] = Verdict(works=False, reason="it hangs")
    accel.insist()
    with pytest.raises(LabError, match="it hangs"):
        accel.choose("kvm", tmp_path)
