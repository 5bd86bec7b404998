from __future__ import annotations

import dataclasses
import os

import pytest
from needs import need_networks, need_programs

from pytest_ixy import check, doctor, ledger, paths, programs, sweep
from pytest_ixy.check import Check, State
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import accel, checks, network, recipe
from pytest_ixy.settings import resolve

OK, WARN, MISSING = State.OK, State.WARN, State.MISSING


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def bare(monkeypatch):
    """A machine on which no program is installed."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "EXTRA_PATH", ())


@pytest.fixture
def image():
    """Something that stands where the built image would."""
    folder = paths.images_folder() / recipe.digest()
    folder.mkdir(parents=True)
    (folder / "disk").write_text("")
    return folder


@pytest.fixture
def ordinary(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def settings(**given):
    return resolve(cli={"accel": "tcg", **given}, environ={}, ini={})


def by_name(found):
    return {one.name: one for one in found}


def test_a_machine_with_everything_can_run():
    need_networks()
    need_programs(*programs.PACKAGES)
    found = list(doctor.examine(settings()))
    assert doctor.can_run(found), [one for one in found if one.state is MISSING]
    assert doctor.packages(found) == []
    assert by_name(found)["QEMU"].text.endswith("starts a `pc` machine")
    assert by_name(found)["machine image"].mend == "pytest-ixy image build"


def test_nothing_is_left_behind(monkeypatch):
    """The networks that are tried carry a name, by which their process would be found."""
    need_networks()
    monkeypatch.setattr(checks.secrets, "token_hex", lambda _count: "known")
    assert checks.namespaces(settings()).state is OK
    assert sweep.processes(f"doctor-{os.getpid()}-known") == []


def test_on_a_bare_machine_every_package_is_named_once(bare):
    found = list(doctor.examine(settings()))
    assert not doctor.can_run(found)
    wanted = {"git", "util-linux", "qemu-system-x86", "qemu-utils", "mmdebstrap", "e2fsprogs"}
    assert wanted <= set(doctor.packages(found))
    assert len(set(doctor.packages(found))) == len(doctor.packages(found))


def test_a_check_that_raises_is_a_warning_with_what_it_met():
    def probe(_settings):
        raise ZeroDivisionError("x")

    def lab_probe(_settings):
        raise LabError("No luck.", hint="try again")

    assert doctor._guarded(probe, settings()).state is WARN
    assert "ZeroDivisionError: x" in doctor._guarded(probe, settings()).text
    assert doctor._guarded(lab_probe, settings()) == Check(
        "lab probe", WARN, "could not be found out: No luck.", "try again"
    )


def test_only_what_is_missing_is_in_the_way():
    assert doctor.can_run([check.ok("a", ""), Check("b", WARN, "")])
    assert not doctor.can_run([check.ok("a", ""), Check("b", MISSING, "")])


def test_python_packages_that_are_missing_or_too_old_are_named(monkeypatch):
    wanted = ["pytest>=8", "pytest>=999", "no-such-thing>=1; python_version>'3'", "never; extra=='docs'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _name: wanted)
    found = doctor.python_packages(settings())
    assert found.state is MISSING
    assert "pytest>=999" in found.mend
    assert "no-such-thing" in found.mend
    assert "never" not in found.mend
    assert "pytest>=8" not in found.mend


@pytest.mark.parametrize("name", ["mmdebstrap", "mke2fs"])
def test_tools_to_build_are_vital_only_when_there_is_something_to_build(bare, name, request):
    probe = getattr(checks, name)
    assert probe(settings()).state is MISSING
    assert probe(settings(image="own.qcow2")) is None
    request.getfixturevalue("image")
    assert probe(settings()).state is WARN


def test_a_qemu_that_cannot_do_what_runs_need_is_missing(tmp_path, monkeypatch):
    need_programs("qemu-system-x86_64")
    real = programs.find("qemu-system-x86_64")
    poor = tmp_path / "qemu-system-x86_64"
    poor.write_text(f'#!/bin/sh\nexec {real} "$@" -device no-such-device\n')
    poor.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = checks.qemu(settings())
    assert found.state is MISSING
    assert "no-such-device" in found.text


def test_kvm_that_does_not_work_is_a_warning_unless_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(accel, "DEVICE", tmp_path / "kvm")
    found = checks.kvm(settings(accel="auto"))
    assert found.state is WARN
    assert f"there is no {tmp_path}/kvm" in found.text
    assert "emulated" in found.text
    assert checks.kvm(settings(accel="kvm")).state is MISSING
    assert checks.kvm(settings(accel="tcg")).state is OK


def test_kvm_that_works_is_fine(monkeypatch):
    monkeypatch.setattr(accel, "probe", lambda _folder, **_how: accel.Verdict(works=True, reason="KVM ran"))
    assert checks.kvm(settings(accel="auto")) == check.ok("KVM", "KVM ran")


def test_a_kvm_of_another_group_is_mended_by_joining_it(monkeypatch, tmp_path):
    device = tmp_path / "kvm"
    device.write_text("")
    monkeypatch.setattr(accel, "DEVICE", device)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "usermod --append --groups kvm" in checks.kvm(settings(accel="auto")).mend


def test_a_missing_tun_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "TUN", tmp_path / "tun")
    found = checks.tun(settings())
    assert (found.state, "modprobe tun" in found.mend) == (MISSING, True)


def test_a_tun_that_may_not_be_opened_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "TUN", tmp_path)  # a folder cannot be opened to be written to
    assert checks.tun(settings()).state is MISSING


def test_networks_are_made_for_real():
    need_networks()
    assert checks.namespaces(settings()).state is OK


def test_networks_that_cannot_be_made_are_missing_with_the_reason(monkeypatch):
    need_programs("setpriv")
    monkeypatch.setattr(network, "KEEPER", "pytest_ixy.no_such_module")
    found = checks.namespaces(settings())
    assert found.state is MISSING
    assert "could not be made" in found.text or "gave no answer" in found.text
    assert found.mend


@pytest.mark.parametrize(("name", "bad", "good"), checks.KERNEL_SWITCHES)
def test_the_kernel_setting_that_forbids_namespaces_is_named(monkeypatch, ordinary, name, bad, good):
    monkeypatch.setattr(checks, "_kernel_setting", lambda asked: bad if asked == name else "")
    assert f"sysctl -w {name}={good}" in checks._mend_namespaces()


def test_kernel_settings_are_read_for_real():
    assert checks._kernel_setting("kernel.ostype") == "Linux"
    assert checks._kernel_setting("kernel.no_such_setting") == ""


def test_user_ids_concern_ordinary_users_who_build(ordinary, bare):
    assert checks.user_ids(settings()).package == "uidmap"
    assert checks.user_ids(settings(image="own.qcow2")) is None


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ("unshare: unrecognized option '--map-auto'", "pytest --ixy-repo=…"),
        ("unshare: you (user 7) don't exist.", "pytest --ixy-repo=…"),
        ("unshare: failed to find subuid for user", "usermod --add-subuids 100000-165535"),
    ],
)
def test_why_there_are_no_user_ids_decides_what_mends_it(ordinary, tmp_path, monkeypatch, words, mend):
    for program, text in (("unshare", f'echo "{words}" >&2; exit 1'), ("newuidmap", "")):
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = checks.user_ids(settings())
    assert found.state is MISSING
    assert words in found.text
    assert mend in found.mend


def test_a_users_own_image_must_be_readable(tmp_path):
    assert checks.machine_image(settings(image=str(tmp_path / "no.qcow2"))).state is MISSING
    (tmp_path / "own.qcow2").write_text("")
    assert checks.machine_image(settings(image=str(tmp_path / "own.qcow2"))).state is OK


def test_the_image_and_its_saved_state_are_looked_for(image):
    need_programs("qemu-system-x86_64")
    assert checks.machine_image(settings()).state is OK
    assert checks.saved_state(settings()).state is WARN
    from pytest_ixy.providers.qemu import saved
    from pytest_ixy.providers.qemu.machine import Hardware

    state = saved.find(Hardware(checks.present_image(), "tcg", 2048))
    state.folder.mkdir()
    state.memory.write_text("")
    assert checks.saved_state(settings()).state is OK
    assert checks.saved_state(settings(memory="4096")).state is WARN


def test_room_is_asked_for_by_what_is_to_do(monkeypatch, request):
    monkeypatch.setattr(doctor, "TO_BUILD", 1 << 60)
    assert doctor.disk(settings()).state is MISSING
    request.getfixturevalue("image")
    assert doctor.disk(settings()).state is OK
    monkeypatch.setattr(doctor, "TO_RUN", 1 << 60)
    assert doctor.disk(settings()).state is MISSING


def test_a_cache_folder_that_may_not_be_written_to_is_missing(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing")
    found = doctor.disk(settings())
    assert found.state is MISSING
    assert "XDG_CACHE_HOME" in found.mend


def test_little_memory_is_a_warning(monkeypatch):
    assert doctor._available() > 1 << 20
    monkeypatch.setattr(doctor, "_available", lambda: 1 << 30)
    monkeypatch.setattr(doctor, "_room_in_cgroup", lambda: float("inf"))
    assert doctor.memory(settings()).state is WARN
    assert doctor.memory(settings(memory="256")).state is OK
    monkeypatch.setattr(doctor, "_available", lambda: 64 << 30)
    assert doctor.memory(settings()).state is OK
    monkeypatch.setattr(doctor, "_room_in_cgroup", lambda: 1 << 20)
    assert doctor.memory(settings()).state is WARN


def test_what_killed_runs_left_is_told_and_not_touched():
    assert doctor.leftovers(settings()).state is OK
    book = ledger.create("killed-run")
    book.intend("folder", str(paths.scratch_folder("killed-run")))
    book.release()
    found = doctor.leftovers(settings())
    assert (found.state, found.mend) == (WARN, "pytest-ixy sweep")
    assert "killed-run" in found.text
    assert len(list(sweep.survey())) == 1


def test_commands_for_root_are_written_as_this_user_must(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "EXTRA_PATH", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert check.as_root("modprobe tun") == "modprobe tun"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert check.as_root("modprobe tun") == "sudo modprobe tun"


def test_a_user_without_a_name_is_told_by_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_242_424)
    assert check.user() == "4242424"


def test_checks_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        check.ok("a", "b").state = MISSING
