"""`pytest-ixy doctor` for hosts of one's own: this machine is all three, by a real SSH server."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sshd import needs_root

from pytest_ixy import doctor
from pytest_ixy.check import State
from pytest_ixy.config import StaticNode, StaticTable
from pytest_ixy.providers.static import checks
from pytest_ixy.providers.static.tenancy import Claim, owner
from pytest_ixy.settings import resolve

pytest_plugins = ["sshd_fixtures"]
pytestmark = needs_root

DEVICES = sorted(path.name for path in Path("/sys/bus/pci/devices").glob("*"))
NOWHERE = ["0000:7e:1f.6", "0000:7e:1f.7"]
needs_devices = pytest.mark.skipif(len(DEVICES) < 2, reason="this machine has no two PCI devices")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the lease lies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(checks, "Claim", partial(Claim, folder=str(tmp_path / "lease")))
    return tmp_path / "lease"


@pytest.fixture
def asked(sshd, folder):
    """Makes settings with NICs by role."""
    access = sshd.access

    def make(**more):
        way = {"host": access.host, "port": access.port, "user": access.user, "key": access.key}
        way |= {"host_key": access.host_key, **more}
        nics = way.pop("nics", DEVICES[:2])
        one, two = StaticNode(**way, nics=NOWHERE[:1]), StaticNode(**way, nics=nics)
        table = StaticTable(pktgen=one, fwd=two, pcap=StaticNode(**way, nics=NOWHERE[1:]))
        return replace(resolve(cli={"provider": "static"}, environ={}, ini={}), static=table)

    return make


@needs_devices
def test_a_host_is_looked_at_and_nothing_changed(asked, folder):
    found = checks.fwd(asked())
    assert found.state is not State.MISSING, found
    assert f"{DEVICES[0]} (" in found.text
    assert "huge pages: " in found.text
    assert not folder.exists()


@needs_devices
def test_who_has_a_host_is_told(asked, folder, sshd, host):
    claim = Claim(sshd.access, "token", "run-a", (), "forward of c", folder=str(folder))
    claim.take(host)
    found = checks.fwd(asked())
    assert found.state is State.WARN
    assert f" by {owner()} for forward of c (run run-a): a run would wait" in found.text
    assert claim.free(host) == (True, ())


def test_nics_that_are_not_there_are_missing(asked):
    found = checks.fwd(asked(nics=[NOWHERE[0].replace("7e", "7d"), NOWHERE[1].replace("7e", "7d")]))
    assert found.state is State.MISSING
    assert "no NIC has the address 0000:7d:1f.6, 0000:7d:1f.7" in found.text


def test_a_host_that_is_not_known_or_not_there_is_missing(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "DEADLINE", 1.0)
    other = (Path(asked().static.fwd.key).parent / "user.pub").read_text().strip()
    assert "is not the expected host" in checks.fwd(asked(host_key=other)).text
    assert "no SSH to" in checks.fwd(asked(port=1)).text
    assert checks.fwd(asked(port=1)).state is State.MISSING


def test_only_what_the_provider_needs_is_looked_at(asked):
    names = [one.name for one in doctor.examine(asked())]
    assert [name for name in names if name.startswith("host of")] == [
        "host of pktgen",
        "host of fwd",
        "host of pcap",
    ]
    assert not {"QEMU", "KVM", "disk"} & set(names)
    assert {"git", "ssh", "leftovers"} <= set(names)
