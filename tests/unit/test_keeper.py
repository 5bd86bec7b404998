"""Real namespaces, bridges and taps."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need_networks
from sshd import until

from pytest_ixy import sweep
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import network
from pytest_ixy.providers.qemu.keeper import VNET_HEADER
from pytest_ixy.topology import PciAddresses, forward_topology

TOPOLOGY = forward_topology(PciAddresses())
PKTGEN, FWD_IN, FWD_OUT, PCAP = "tap-pktgen-0", "tap-fwd-0", "tap-fwd-1", "tap-pcap-0"


def frame(number=0):
    """An Ethernet frame of an unused type, with the header that taps want before it."""
    destination, source = bytes.fromhex("525400160301"), bytes.fromhex("525400160101")
    return bytes(VNET_HEADER) + (destination + source + b"\x88\xb5" + bytes([number])).ljust(60, b"\0")


def arrived(descriptor, seconds):
    """The next frame out of a tap without its header, or None when none comes in that time."""
    if not select.select([descriptor], [], [], seconds)[0]:
        return None
    return os.read(descriptor, 4096)[VNET_HEADER:]


@pytest.fixture
def tag():
    need_networks()
    return f"keeper-test-{secrets.token_hex(6)}"


@pytest.fixture
def networks(tag):
    networks = network.Networks(tag, TOPOLOGY)
    yield networks
    networks.close()


def keeper_of(tag):
    (pid,) = sweep.processes(tag)
    return pid


def namespace_of(pid):
    return Path(f"/proc/{pid}/ns/net").readlink()


def namespaces():
    """The network namespaces that any process is in."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                found.add(namespace_of(process.name))
    return found


def test_the_plan_joins_the_taps_of_each_network():
    assert network.plan(TOPOLOGY) == {"net0": [FWD_IN, PKTGEN], "net1": [PCAP, FWD_OUT]}


def test_a_frame_crosses_its_network_and_no_other(networks):
    sent = frame(7)
    os.write(networks.taps[PKTGEN], sent)
    assert arrived(networks.taps[FWD_IN], 10) == sent[VNET_HEADER:]
    for elsewhere in (PKTGEN, FWD_OUT, PCAP):
        assert arrived(networks.taps[elsewhere], 0.1) is None


def test_frames_keep_their_order(networks):
    for number in range(200):
        os.write(networks.taps[FWD_OUT], frame(number))
    assert [arrived(networks.taps[PCAP], 10)[14] for _ in range(200)] == list(range(200))


def test_nobody_says_anything_of_his_own(networks):
    """No IPv6, IGMP, STP: what is captured is what was sent."""
    assert select.select(list(networks.taps.values()), [], [], 2.5)[0] == []
    counted = network.ask(networks.address, {"do": "counters"})
    assert {tuple(numbers.values()) for numbers in counted.values()} == {(0, 0, 0)}


def test_nothing_appears_in_the_hosts_own_namespace(networks):
    assert not [name for _, name in socket.if_nameindex() if name in networks.taps or name == "net0"]


def test_frames_are_counted_on_both_sides(networks):
    for _ in range(5):
        os.write(networks.taps[PKTGEN], frame())
    for _ in range(5):
        assert arrived(networks.taps[FWD_IN], 10)
    counted = network.ask(networks.address, {"do": "counters"})
    assert set(counted) == set(networks.taps)
    assert counted[PKTGEN] == {"sent": 5, "received": 0, "dropped": 0}
    assert counted[FWD_IN] == {"sent": 0, "received": 5, "dropped": 0}


def test_what_a_tap_cannot_take_is_counted_as_dropped(networks):
    for _ in range(3000):
        os.write(networks.taps[PKTGEN], frame())
    network.ask(networks.address, {"do": "drain"})
    counted = network.ask(networks.address, {"do": "counters"})[FWD_IN]
    assert counted["dropped"] > 0
    assert counted["received"] + counted["dropped"] == 3000


def test_drained_taps_are_empty(networks):
    for _ in range(50):
        os.write(networks.taps[PKTGEN], frame())
    assert network.ask(networks.address, {"do": "drain"}) == {}
    assert arrived(networks.taps[FWD_IN], 0.2) is None
    os.write(networks.taps[PKTGEN], frame(9))
    assert arrived(networks.taps[FWD_IN], 10)[14] == 9


def test_descriptors_are_not_inherited(networks):
    assert not any(os.get_inheritable(descriptor) for descriptor in networks.taps.values())


@pytest.mark.parametrize(
    "request_line",
    [{"do": "sing"}, {}, {"do": "pace", "pid": 2**30, "taps": []}, {"do": "pace", "pid": "x", "taps": []}],
)
def test_a_bad_request_is_answered_and_does_no_harm(networks, request_line):
    with pytest.raises(LabError, match="could not"):
        network.ask(networks.address, request_line)
    assert network.ask(networks.address, {"do": "drain"}) == {}


@pytest.mark.parametrize("line", [b"", b"\n", b"nonsense\n", b"[1]\n", b"5\n", b"\xff\n"])
def test_nonsense_on_the_socket_does_no_harm(networks, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + networks.address)
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        assert "error" in json.loads(connection.makefile("rb").readline())
    assert network.ask(networks.address, {"do": "drain"}) == {}


def test_the_namespace_is_gone_after_close(tag):
    networks = network.Networks(tag, TOPOLOGY)
    own = namespace_of(keeper_of(tag))
    assert own != namespace_of("self")
    assert own in namespaces()
    networks.close()
    assert own not in namespaces()
    assert sweep.processes(tag) == []
    assert networks.taps == {}


def test_asking_after_close_is_a_lab_error(tag):
    network.Networks(tag, TOPOLOGY).close()
    with pytest.raises(LabError, match="does not answer"):
        network.ask(tag, {"do": "counters"})


def test_closing_twice_is_no_error(tag):
    networks = network.Networks(tag, TOPOLOGY)
    networks.close()
    networks.close()


def test_two_testbeds_do_not_meet(networks, tag):
    other = network.Networks(tag + "-other", TOPOLOGY)
    try:
        os.write(networks.taps[PKTGEN], frame())
        assert arrived(other.taps[FWD_IN], 0.3) is None
        assert arrived(networks.taps[FWD_IN], 10)
    finally:
        other.close()


def test_a_second_keeper_of_the_same_tag_is_refused_with_the_reason(networks, tag):
    with pytest.raises(LabError, match="Address already in use"):
        network.Networks(tag, TOPOLOGY)
    assert network.ask(networks.address, {"do": "drain"}) == {}


OWNER = """
import sys, time
from pytest_ixy.providers.qemu import network
from pytest_ixy.topology import PciAddresses, forward_topology
networks = network.Networks(sys.argv[1], forward_topology(PciAddresses()))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_keeper_ends_with_its_owner(tag, number):
    command = [sys.executable, "-c", OWNER, tag]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"ready\n"
        (keeper,) = [pid for pid in sweep.processes(tag) if pid != owner.pid]
        own = namespace_of(keeper)
        owner.send_signal(number)
    assert until(lambda: not sweep.processes(tag))
    assert until(lambda: own not in namespaces())


AS_NOBODY = """
import codecs, ctypes, os
import pyroute2
from pytest_ixy.providers.qemu import keeper
pyroute2.IPRoute().close(), codecs.lookup("ascii")  # this Python may be in a folder that is root's alone
os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE, as after an exec: else /proc/self is root's
keeper.main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are this one")
def test_an_ordinary_user_needs_no_rights_and_others_are_not_heard(tag, tmp_path, monkeypatch):
    """In a user namespace; with a tun device that anyone may open, as on most distributions."""
    os.mknod(tmp_path / "tun", 0o020666, os.makedev(10, 200))
    (tmp_path / "tun").chmod(0o666)
    script = f'mount --bind \'{tmp_path}/tun\' /dev/net/tun && exec "$0" -c "$1" "$2"'
    command = ["unshare", "--mount", "sh", "-c", script, sys.executable, AS_NOBODY, tag]
    monkeypatch.setattr(network.programs, "bound", lambda _command: command)
    try:
        networks = network.Networks(tag, TOPOLOGY)
    except LabError as error:
        if "unshare" in error.what:
            pytest.skip(f"this kernel allows no user namespaces: {error.what}")
        raise
    try:
        assert Path(f"/proc/{keeper_of(tag)}").stat().st_uid == 65534
        assert Path(f"/proc/{keeper_of(tag)}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
        os.write(networks.taps[PKTGEN], frame(7))
        assert arrived(networks.taps[FWD_IN], 10) == frame(7)[VNET_HEADER:]
        with pytest.raises(LabError, match="does not answer"):
            network.ask(networks.address, {"do": "counters"})  # we are another user to it
    finally:
        networks.close()
