"""Models of NICs: who asks for which, how tests are called on them, and what a target drives."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from bundles import make_manifest
from needs import need_programs

from pytest_ixy import nics, spec
from pytest_ixy.errors import UsageError
from pytest_ixy.providers.qemu import nics as devices
from pytest_ixy.providers.qemu.greeting import greeting
from pytest_ixy.providers.qemu.provider import Qemu
from pytest_ixy.replay import LABEL
from pytest_ixy.report.command import rerun
from pytest_ixy.settings import resolve
from pytest_ixy.target import Target
from pytest_ixy.topology import Nic

ROLES = 'pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n'


def settle(cli=None, environ=None, ini=None):
    return resolve(cli=cli or {}, environ=environ or {}, ini=ini or {})


def test_nobody_asks(tmp_path):
    settings = settle()
    assert (settings.nics, settings.nic, settings.asked_nic) == ((), "virtio", None)
    assert "nic" not in settings.told


@pytest.mark.parametrize(
    "source",
    [
        {"cli": {"nic": ["e1000", "igb", "e1000"]}},
        {"environ": {"IXY_NIC": "e1000 igb"}},
        {"ini": {"nic": ["e1000", "igb"]}},
        {"cli": {"nic": ["e1000", "igb"]}, "environ": {"IXY_NIC": "vmxnet3"}, "ini": {"nic": ["virtio"]}},
    ],
)
def test_models_are_asked_for(source):
    settings = settle(**source)
    assert (settings.nics, settings.nic, settings.asked_nic) == (("e1000", "igb"), "e1000", "e1000")
    assert settings.told == {"nic": "e1000"}


@pytest.mark.parametrize("value", ['"e1000"', '["e1000"]'])
def test_a_model_in_config_toml(value, tmp_path):
    (tmp_path / "config.toml").write_text(f"nic = {value}\n")
    assert settle({"config": str(tmp_path / "config.toml")}).nics == ("e1000",)


def test_one_of_several_models():
    one = settle({"nic": ["virtio", "e1000"]}).on("e1000")
    assert (one.nics, one.asked_nic, one.told) == (("e1000",), "e1000", {"nic": "e1000"})
    assert settle().on("virtio").asked_nic == "virtio"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("e100e", "--ixy-nic: there is no NIC model 'e100e'; did you mean 'e1000e'?"),
        ("rtl8139", "known: virtio, virtio-modern, e1000, "),
        ("\x1b]0;x", "has a control character"),
    ],
)
def test_models_that_there_are_not(word, message):
    with pytest.raises(UsageError) as caught:
        settle({"nic": [word]})
    assert message in str(caught.value)


@pytest.mark.parametrize("model", nics.MODELS)
def test_a_name_in_test_ids_is_fit_for_them(model):
    name = nics.label("ixy@0e00605+dirty", model)
    assert name == f"ixy@0e00605+dirty~{model}"
    assert LABEL.fullmatch(name)
    assert nics.label("ixy@0e00605", None) == "ixy@0e00605"


def test_a_target_is_called_by_the_model_that_was_asked_for(tmp_path):
    (tmp_path / "ixy-ci.toml").write_text(ROLES)
    target = Target(make_manifest().target, spec.read(tmp_path, "it"), tmp_path, "")
    assert target.on("e1000").record.label == f"{target.record.label}~e1000"
    assert target.on(None) == target


def test_the_command_that_runs_it_again_names_the_model():
    assert "--ixy-nic=e1000e" in rerun(make_manifest(options={"nic": "e1000e"})).split()


@pytest.mark.parametrize(
    ("model", "declared", "said"),
    [
        ("e1000", [None, None], ""),
        ("e1000", [("virtio", "e1000")], ""),
        ("e1000", [("virtio", "virtio-modern")], "drive virtio, virtio-modern, not e1000"),
        ("e1000", [None, ("e1000",), ("virtio",)], "drive virtio, not e1000"),
        ("direct", [("virtio",)], ""),
    ],
)
def test_what_is_not_driven_is_not_tried(model, declared, said):
    found = nics.undriven(model, declared)
    assert found.endswith(said)
    assert bool(found) == bool(said)


def declared(tmp_path, text):
    (tmp_path / "ixy-ci.toml").write_text(f"{ROLES}{text}\n")
    return spec.read(tmp_path, "it").nics


def test_what_a_target_declares(tmp_path):
    assert declared(tmp_path, "") is None
    assert declared(tmp_path, 'nics = ["virtio", "ixgbe"]') == ("virtio", "ixgbe")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('nics = ["virtio", "e100"]', "element 2 of 'nics' cannot be: there is no NIC model 'e100'; did you"),
        ("nics = []", "'nics' should name at least one model"),
        ('nics = "virtio"', "'nics' should be"),
        ('nics = ["\\u001b[31m"]', "there is no NIC model '\\x1b[31m'; known: "),
    ],
)
def test_what_a_target_cannot_declare(text, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        declared(tmp_path, text)
    assert message in str(caught.value)


def test_models_that_qemu_never_has_are_refused():
    with pytest.raises(UsageError, match="The provider qemu makes no NIC of the model direct") as caught:
        Qemu().check(settle({"nic": ["direct"]}))
    assert "virtio|virtio-modern|e1000|" in caught.value.hint


def test_a_model_that_this_qemu_lacks_is_refused_with_the_version_that_has_it(tmp_path, monkeypatch):
    """A QEMU of which we know what it has, whichever is installed."""
    need_programs("sh")
    old = tmp_path / "qemu-system-x86_64"
    old.write_text(
        "#!/bin/sh\necho 'QEMU emulator version 7.2.22 (Debian)'\necho 'name \"e1000\", bus PCI'\n"
    )
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    Qemu().check(settle({"nic": ["e1000"]}))
    with pytest.raises(UsageError, match=r"This QEMU \(7\.2\.22\) has no NIC of the model igb") as caught:
        Qemu().check(settle({"nic": ["igb"]}))
    assert "QEMU 8.0" in caught.value.hint


@pytest.mark.parametrize(
    ("model", "slots", "fits"),
    [
        ("e1000", (6, 7), True),
        ("igb", (6,), True),
        ("igb", (6, 8), True),
        ("igb", (6, 7), False),
        ("igb", (6, 0x16), False),
        ("igb", (6, 15), False),
    ],
)
def test_an_igb_takes_slots_for_its_virtual_functions(model, slots, fits):
    with (
        contextlib.nullcontext() if fits else pytest.raises(UsageError, match="cannot have NICs of the model")
    ):
        devices.check_slots(model, slots, 0x1F)


def test_what_the_qemu_that_is_installed_has():
    need_programs("qemu-system-x86_64")
    assert {"virtio-net-pci", "e1000", "e1000e", "vmxnet3"} <= devices.offered()


def greet(tmp_path, model, *, driver, module):
    """Run the greeting here with made-up programs and devices; its status and output."""
    nic = tmp_path / "devices" / "0000:00:06.0"
    nic.mkdir(parents=True)
    (nic / "vendor").touch()
    if driver:
        (nic / "driver").touch()
    for name, status in (("date", 0), ("modprobe", module), ("sleep", 0)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
    text = greeting((Nic("n", "0000:00:06.0", "A"),), devices.DEVICES[model])
    text = text.replace("/sys/bus/pci/devices", f"{tmp_path}/devices").replace("/dev/urandom", "/dev/null")
    return subprocess.run(
        ["bash", "-c", text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize(
    ("model", "driver", "module", "status"),
    [
        ("virtio", True, 0, 0),
        ("virtio", False, 1, 1),  # its driver is always there
        ("e1000", True, 0, 0),
        ("e1000", False, 0, 1),  # a driver that does not take it
        ("e1000", False, 1, 0),  # a kernel without one: the target's may do
    ],
)
def test_a_nic_is_waited_for_until_its_driver_has_it(model, driver, module, status, tmp_path):
    assert greet(tmp_path, model, driver=driver, module=module) == status
