"""The provider openstack as far as it needs no cloud; with a real one: tests/cloud."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from sshd import needs_root

from pytest_ixy import check, ledger, paths, sweep
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.openstack import capacity, checks, door, hostkey, lookup, visit
from pytest_ixy.providers.openstack.entrance import Entrance
from pytest_ixy.providers.openstack.provider import OpenStack
from pytest_ixy.providers.openstack.quiet import quiet
from pytest_ixy.providers.openstack.reference import Reference, Thing
from pytest_ixy.providers.openstack.stack import Built, server_ready
from pytest_ixy.settings import resolve
from pytest_ixy.topology import PciAddresses, forward_topology

pytest_plugins = ["sshd_fixtures"]

IXY_CI = """
bind_address = "0.0.0.0:8080"
public_url = "https://ci.example.org"
job_queue_size = 10
log_directory = "log"

[github]
bot_name = "ixy-ci"
api_token = "x"

[openstack]
flavor = "m1.small"
image = "Debian"
ssh_login = "debian"
keypair = "ixy-ci"
private_key_path = "id_rsa"
auth_url = "https://cloud.example.org:5000/v3"
user_name = "ixy"
user_domain = "Default"
password = "hunter2"
project_name = "ixy"
project_domain = "Default"

[test]
packets = 100

[test.pci_addresses]
pktgen = "0000:00:07.0"
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("CLOUD", "AUTH_URL", "PASSWORD", "CLIENT_CONFIG_FILE"):
        monkeypatch.delenv(f"OS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path):
    """Settings from the text of a config.toml."""

    def settings(text, **cli):
        (tmp_path / "config.toml").write_text(text)
        return resolve(cli={"config": str(tmp_path / "config.toml"), **cli}, environ={}, ini={})

    return settings


def test_what_is_written_into_the_ledger_can_be_read_by_people_and_by_the_sweep():
    place = Reference("my cloud", "/home/anna o'neill/clouds.yaml", "RegionOne", "0a1b")
    thing = Thing("server", "ixy-x-fwd", "2026-11-22T05-01-17-forward-ixy-9c31", 1795323677, place)
    assert thing.text().startswith("server ixy-x-fwd run=2026-11-22T05-01-17-forward-ixy-9c31 at=1795323677 ")
    assert Thing.parse(thing.text()) == thing


@pytest.mark.parametrize(
    "text", ["", "server", "server x", "server x at=now", "server x at=1 colour=red", "'"]
)
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        Thing.parse(text)


def test_a_config_of_ixy_ci_is_enough(settings, tmp_path):
    (tmp_path / "id_rsa").write_text("-")
    found = settings(IXY_CI, provider="openstack")
    OpenStack().check(found)
    assert found.pci.configured == {"pktgen"}
    assert door.reference(found) == Reference(file=str(tmp_path / "config.toml"))
    assert lookup.key_file(found) == tmp_path / "id_rsa"


def test_the_table_alone_does_not_switch_the_provider(settings):
    assert settings(IXY_CI).provider == "qemu"


BASE = '[openstack]\nflavor = "f"\nimage = "i"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a flavor and an image"),
        ('[openstack]\nflavor = "f"\ncloud = "c"', "needs a flavor and an image"),
        (BASE, "not told which cloud"),
        (BASE + 'cloud = "c"\nauth_url = "http://x"', "give one of them"),
        (BASE + 'cloud = "c"\nnetworks = ["a"]', "two different ones"),
        (BASE + 'cloud = "c"\nnetworks = ["a", "a"]', "two different ones"),
        (BASE + 'cloud = "c"\nprivate_key_path = "none"', "There is no private key"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(settings, text, words):
    with pytest.raises(UsageError, match=words) as caught:
        OpenStack().check(settings(text))
    assert caught.value.hint or "give one" in words or "two" in words


def test_a_cut_internet_is_refused(settings):
    with pytest.raises(UsageError, match="--ixy-offline"):
        OpenStack().check(settings(BASE + 'cloud = "c"', offline=True))


def test_a_vnic_type_that_there_is_not_is_told_with_its_line(settings):
    with pytest.raises(UsageError, match=r"config.toml:4: 'vnic_type' in \[openstack\].*'normal', 'direct'"):
        settings(BASE + 'vnic_type = "smart"')


def test_a_cloud_that_clouds_yaml_does_not_have_is_named_with_the_nearest(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"devstack": {"auth": {"auth_url": "x"}}}}))
    place = door.reference(settings(BASE + 'cloud = "devstak"'))
    assert place.file == str(tmp_path / "clouds.yaml")
    with pytest.raises(UsageError, match="no cloud 'devstak'; did you mean 'devstack'"):
        door.enter(place)


def test_a_missing_password_is_asked_for_and_never_written_down(settings):
    place = door.reference(
        settings(BASE + 'auth_url = "http://127.0.0.1:1"\nuser_name = "u"\nproject_name = "p"')
    )
    with pytest.raises(UsageError, match="has no password") as caught:
        door.enter(place)
    assert "OS_PASSWORD" in caught.value.hint


@pytest.mark.parametrize("domain", ["", 'project_domain = "Default"\n'])
def test_a_cloud_that_nobody_answers_for_is_named(settings, monkeypatch, domain):
    monkeypatch.setattr(door, "PAUSES", (0.01,))
    text = 'auth_url = "http://127.0.0.1:1/v3"\nuser_name = "u"\nproject_name = "p"\npassword = "hunter2"\n'
    with pytest.raises(LabError, match="does not answer") as caught:
        door.enter(door.reference(settings(BASE + text + domain)))
    assert "auth_url" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_sweep_without_credentials_says_so_and_keeps_the_ledger(settings):
    place = door.reference(
        settings(BASE + 'auth_url = "http://127.0.0.1:1"\nuser_name = "u"\nproject_name = "p"')
    )
    book = ledger.create("dead-run")
    book.intend("openstack", Thing("network", "n", "dead-run", 1, place).text())
    book.release()
    (swept,) = sweep.sweep()
    assert swept.removed == ()
    assert "has no password" in swept.errors[0]
    assert list(paths.ledgers_folder().iterdir())


def test_a_ledger_of_a_project_that_is_not_the_one_we_are_in_is_left(monkeypatch):
    place = Reference("c", "f", "", "theirs")
    cloud = door.Cloud(None, Reference("c", "f", "", "ours"), "the cloud 'c'")
    monkeypatch.setattr(door, "_log_in", lambda _place, _request: cloud)
    monkeypatch.setattr(door, "_known", {})
    with pytest.raises(UsageError, match="another project than theirs"):
        door.enter(place)


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6Dq8pYyqFxqXvQ9qv6rYzGzvq6KJ5R0s9mQyC2m3gB"
RSA = "ssh-rsa " + "A" * 200
CONSOLE = f"""[   12.3] cloud-init[400]: working
-----BEGIN SSH HOST KEY KEYS-----
{ED25519} root@fwd
{RSA} root@fwd
-----END SSH HOST KEY KEYS-----
[   13.0] cloud-init[400]: Cloud-init v. 22.4.2 finished at now
"""


def test_host_keys_are_read_from_a_console():
    assert hostkey.told(CONSOLE) == [ED25519, RSA]
    assert hostkey.told("Debian GNU/Linux 12 fwd ttyS0") == []
    assert hostkey.told(CONSOLE.replace("BEGIN", "B")) == []


def test_the_console_vouches_for_a_key_or_refuses_it():
    assert hostkey.settle(ED25519, lambda: CONSOLE, "x") == (ED25519, True)
    assert hostkey.settle(ED25519, lambda: "", "x") == (ED25519, False)
    with pytest.raises(LabError, match="none of its console's"):
        hostkey.settle(ED25519.replace("IJ6", "IJ7"), lambda: CONSOLE, "x")


def test_keys_that_cloud_init_is_about_to_print_are_waited_for(monkeypatch):
    monkeypatch.setattr(hostkey, "PAUSE", 0.01)
    said = iter(["cloud-init[400]: working", "cloud-init[400]: working", CONSOLE])
    assert hostkey.settle(ED25519, lambda: next(said), "x") == (ED25519, True)


def test_the_key_that_a_server_shows_is_the_one_that_it_has(sshd):
    key = hostkey.shown("127.0.0.1", port=sshd.port, deadline=20, alive=lambda: None)
    assert key == " ".join(sshd.access.host_key.split()[:2])


def test_a_server_that_has_died_is_not_waited_for():
    with pytest.raises(LabError, match="its server is ERROR"):
        hostkey.shown("127.0.0.1", port=1, deadline=60, alive=lambda: "its server is ERROR")


def test_a_server_that_never_answers_is_told_with_the_cause(monkeypatch):
    monkeypatch.setattr(hostkey, "PAUSE", 0.05)
    with pytest.raises(LabError, match="refused") as caught:
        hostkey.shown("127.0.0.1", port=1, deadline=0.2, alive=lambda: None)
    assert "floating IP" in caught.value.hint


MACS = ("fa:16:3e:00:00:01", "fa:16:3e:00:00:02")


@pytest.fixture
def system(tmp_path):
    """A made-up /sys: one virtio NIC, one of its own driver, one that no driver has, and a disk."""
    devices, network = tmp_path / "sys/devices/pci0000:00", tmp_path / "sys/class/net"
    bus = tmp_path / "sys/bus/pci/devices"
    for pci, kind in (("03", "020000"), ("05", "020000"), ("06", "020000"), ("07", "010000")):
        (devices / f"0000:00:{pci}.0").mkdir(parents=True)
        (devices / f"0000:00:{pci}.0/class").write_text(f"0x{kind}\n")
    for mac, below, name in ((MACS[0], "0000:00:03.0/virtio2", "eth1"), (MACS[1], "0000:00:05.0", "eth2")):
        (devices / below / "net" / name).mkdir(parents=True)
        (devices / below / "net" / name / "address").write_text(f"{mac}\n")
        (devices / below / "net" / name / "device").symlink_to(devices / below)
    network.mkdir(parents=True)
    bus.mkdir(parents=True)
    for each in devices.iterdir():
        (bus / each.name).symlink_to(each)
    for each in devices.rglob("net/*"):
        (network / each.name).symlink_to(each)
    (network / "lo").mkdir()
    (network / "lo/address").write_text("00:00:00:00:00:00\n")
    return tmp_path


def seen(system, *macs):
    script = visit._script()
    given = {"MACS": " ".join(macs), "SECONDS_TO_WAIT": "0", "SYS": f"{system}/sys", "ETC": f"{system}/etc"}
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": "/bin:/usr/bin", **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return visit.read(done.stdout)


def test_nics_are_found_by_their_ports_and_taken_from_the_network_managers(system):
    found = seen(system, *MACS)
    assert found.found == {MACS[0]: "0000:00:03.0", MACS[1]: "0000:00:05.0"}
    assert found.devices == {"0000:00:03.0": MACS[0], "0000:00:05.0": MACS[1], "0000:00:06.0": None}
    (first, second) = sorted((system / "etc/systemd/network").iterdir())
    assert f"MACAddress={MACS[0]}" in first.read_text()
    assert "Unmanaged=yes" in second.read_text()
    assert len(list((system / "etc/NetworkManager/conf.d").iterdir())) == 2


def test_a_nic_that_is_not_there_is_not_told(system):
    assert seen(system, "fa:16:3e:00:00:09").found == {}


def placed(system, *macs, **addresses):
    pci = PciAddresses(**addresses)
    fwd = forward_topology(pci).node("fwd")
    return [nic.pci for nic in visit.placed(fwd, macs, seen(system, *macs), pci.configured).nics]


def test_addresses_that_nobody_configured_are_those_that_were_found(system):
    assert placed(system, *MACS) == ["0000:00:03.0", "0000:00:05.0"]


def test_a_configured_address_is_taken_where_it_is_right_or_where_no_driver_tells(system):
    given = {"fwd_src": "0000:00:03.0", "fwd_dst": "0000:00:06.0"}
    unknown = (MACS[0], "fa:16:3e:00:00:09")
    assert placed(system, *unknown, **given) == ["0000:00:03.0", "0000:00:06.0"]


def test_the_address_of_ixy_ci_is_nobodys_choice_but_taken_where_no_driver_tells(system):
    unknown = "fa:16:3e:00:00:09"
    assert placed(system, unknown, MACS[0]) == ["0000:00:06.0", "0000:00:03.0"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0000:00:05.0", rf"fwd_src = 0000:00:05.0 .*has {MACS[1]}, not {MACS[0]}.*is at 0000:00:03.0"),
        ("0000:00:09.0", rf"0000:00:09.0 .*is no network device, not {MACS[0]}.*is at 0000:00:03.0"),
        ("0000:00:07.0", "is no network device"),
    ],
)
def test_a_configured_address_where_another_nic_is_is_an_error(system, address, words):
    with pytest.raises(LabError, match=words) as caught:
        placed(system, *MACS, fwd_src=address)
    assert "remove fwd_src" in caught.value.hint


def test_a_nic_that_no_driver_knows_has_to_be_configured(system):
    with pytest.raises(LabError, match="no NIC with the address fa:16:3e:00:00:09") as caught:
        placed(system, MACS[0], "fa:16:3e:00:00:09")
    assert re.search(r"write fwd_dst = .*0000:00:06.0 has no driver", caught.value.hint)


def test_what_a_node_says_beyond_all_measure_is_not_read():
    assert len(visit.read("nic a b\n" * 10 + "".join(f"nic {n} x\n" for n in range(10**5))).found) < 300


def test_a_server_that_could_not_be_made_is_told_with_its_fault():
    fault = {"message": "No valid host was found. There are not enough hosts available."}
    with pytest.raises(LabError, match="No valid host was found") as caught:
        server_ready(SimpleNamespace(status="ERROR", name="ixy-fwd", fault=fault))
    assert "smaller flavor" in caught.value.hint
    assert not server_ready(SimpleNamespace(status="BUILD"))


def test_the_library_is_loaded_by_nobody_but_who_goes_to_a_cloud():
    code = "import sys, pytest_ixy.providers.openstack.provider; assert 'openstack' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_doctor_says_what_the_provider_would(settings):
    found = checks.cloud(settings(BASE, provider="openstack"))
    assert (found.state, found.mend[:5]) == (check.State.MISSING, "write")
    assert "which cloud" in found.text


def test_warnings_of_the_library_are_nobodys_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet(), quiet():
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)


def limits(free):
    used = SimpleNamespace(instances=10, instances_used=10 - free, total_cores=-1, total_cores_used=5)
    return SimpleNamespace(absolute=SimpleNamespace(**vars(used), total_ram=51200, total_ram_used=0))


class FakeQuotas:
    """Of a cloud's services; only a real one's numbers are of use, and those are in tests/cloud."""

    def __init__(self, servers, ports):
        quota = {"networks": 100, "ports": ports, "routers": 10, "floating_ips": -1}
        told = {name: {"limit": limit, "used": 0} for name, limit in quota.items()}
        self.compute = SimpleNamespace(get_limits=lambda: limits(servers))
        self.network = SimpleNamespace(get_quota=lambda _project, details: SimpleNamespace(**told))


@pytest.mark.parametrize(
    ("servers", "ports", "room"), [(9, 80, 3), (9, 17, 2), (2, 80, 0), (9, -1, 3)], ids=str
)
def test_the_narrowest_quota_tells_how_many_testbeds_fit(servers, ports, room):
    cloud = door.Cloud(FakeQuotas(servers, ports), Reference("c", project="p"), "the cloud 'c'")
    flavor = SimpleNamespace(vcpus=1, ram=2048)
    assert capacity.room(cloud, lookup.Found(flavor, None, "root", pool=object())) == room
    assert capacity.room(cloud, lookup.Found(flavor, None, "root", ports={"PCI_ADDR_PCAP": 1})) == 1


class FakeConsole:
    """What a cloud would tell of a server's console."""

    def __init__(self, folder, said):
        self.file, self.said = folder / "fwd.console", said

    def read(self):
        self.file.write_text(self.said)
        return self.said


@needs_root
@pytest.mark.parametrize("is_shown", [True, False])
def test_a_server_is_entered_and_its_key_known(sshd, tmp_path, monkeypatch, is_shown):
    monkeypatch.setattr(visit, "WAIT", 0)
    said = f"{hostkey.BEGIN}\n{sshd.access.host_key}\n{hostkey.END}" if is_shown else "login:"
    consoles = {"fwd": FakeConsole(tmp_path, said)}
    way = Entrance(sshd.access.user, sshd.access.key, 30, consoles, lambda _: None, port=sshd.port)
    ports = (SimpleNamespace(mac_address="FA:16:3E:00:00:09"),)
    entered = way.enter("fwd", Built(None, "127.0.0.1", ports))
    assert (entered.vouched, entered.seen.found) == (is_shown, {})
    assert entered.access.host_key.split()[:2] == sshd.access.host_key.split()[:2]
    assert Path(entered.console).read_text() == said


def test_a_server_that_does_not_let_us_in_is_told_with_its_consoles_last_words(sshd, tmp_path):
    consoles = {"fwd": FakeConsole(tmp_path, "starting\nFailed to mount /")}
    way = Entrance("nobody-here", sshd.access.key, 0.5, consoles, lambda _: None, port=sshd.port)
    with pytest.raises(LabError, match=r"fwd: .*Its console ends with: 'Failed to mount /'"):
        way.enter("fwd", Built(None, "127.0.0.1", ()))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, "e1000"),
        ("virtio", None),
        ("virtio-modern", "virtio"),
        ("e1000", "e1000"),
        ("direct", None),
        ("ixgbe", None),
    ],
)
def test_the_image_chooses_the_nics_model(asked, given):
    lookup.check_model(asked, SimpleNamespace(name="i", hw_vif_model=given))


@pytest.mark.parametrize(("asked", "given"), [("e1000", None), ("virtio", "vmxnet3")])
def test_a_model_that_is_not_the_images_is_refused(asked, given):
    with pytest.raises(UsageError, match=f"not {asked}") as caught:
        lookup.check_model(asked, SimpleNamespace(name="i", hw_vif_model=given))
    assert f"hw_vif_model={asked}" in caught.value.hint
