"""The frames of scenario `frames` are what their class says."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

from pytest_ixy.capture import blocks
from pytest_ixy.traffic.classes import CLASSES, SIZES


def frames(name):
    return CLASSES[name]().frames


@pytest.mark.parametrize("name", CLASSES)
def test_frames_can_be_sent_told_apart_and_passed_by_bridges(name):
    traffic = CLASSES[name]()
    assert traffic.name == name
    assert len(set(traffic.frames)) == len(traffic.frames) == len(traffic.times)
    assert list(traffic.times) == sorted(traffic.times)
    for number, frame in enumerate(traffic.frames):
        assert 60 <= len(frame) <= (1518 if Dot1Q in Ether(frame) else 1514)
        assert int.from_bytes(frame[8:12], "big") == number
        assert not frame[6] & 1
        assert frame[:3] != bytes.fromhex("0180c2")


@pytest.mark.parametrize("name", CLASSES)
def test_the_capture_tells_frames_and_rhythm(name, tmp_path):
    traffic = CLASSES[name]()
    path = tmp_path / "sent.pcap"
    path.write_bytes(traffic.pcap())
    assert path.stat().st_size == traffic.size
    found, times = [], []
    for block in blocks(path):
        found += [block.frame(row) for row in range(block.count)]
        times += block.look(slice(None)).time.tolist()
    assert tuple(found) == traffic.frames
    assert [round((time - times[0]) / 1e9, 6) for time in times] == [round(at, 6) for at in traffic.times]


def test_every_size_is_there_once_and_short_ones_follow_long_ones():
    sizes = [len(frame) for frame in frames("sizes")]
    assert sorted(sizes) == list(range(60, 1515))
    assert sizes[:4] == [60, 1514, 61, 1513]


@pytest.mark.parametrize(("name", "size"), [("size-60", 60), ("size-1514", 1514), ("vlan-1518", 1518)])
def test_the_boundaries_have_classes_of_their_own(name, size):
    assert {len(frame) for frame in frames(name)} == {size}


def sums_right(packet):
    """Whether scapy, asked to compute them anew, finds the same checksums."""
    anew = packet.copy()
    for layer in (IP, UDP):
        if layer in anew and anew[layer].chksum:
            del anew[layer].chksum
    return bytes(anew) == bytes(packet)


def test_packets_are_whole():
    for name, layer in (("sizes", IP), ("vlan", IP), ("qinq", IP), ("broadcast", IP), ("ipv6", IPv6)):
        for packet in map(Ether, frames(name)):
            assert layer in packet
            assert UDP in packet
            assert sums_right(packet)


def test_tags():
    assert all(Dot1Q in Ether(frame) and Ether(frame)[Dot1Q].vlan for frame in frames("vlan"))
    assert all(Ether(frame).type == 0x88A8 and Dot1Q in Ether(frame) for frame in frames("qinq"))
    assert Dot1AD in Ether(frames("qinq")[0])


def test_destinations():
    assert {frame[:6] for frame in frames("broadcast")} == {b"\xff" * 6}
    groups = {frame[:3] for frame in frames("multicast")}
    assert {bytes.fromhex("01005e"), bytes.fromhex("333300")} < groups
    assert all(frame[0] & 1 for frame in frames("multicast"))


def test_what_is_not_ip():
    packets = [Ether(frame) for frame in frames("non-ip")]
    assert not any(IP in packet or IPv6 in packet for packet in packets)
    assert any(ARP in packet for packet in packets)
    kinds = {int.from_bytes(frame[12:14], "big") for frame in frames("non-ip")}
    assert {0x0806, 0x8035, 0x88CC, 0x88B5} < kinds
    assert any(kind <= 1500 for kind in kinds)


@pytest.mark.parametrize(("name", "byte"), [("zeros", b"\0"), ("ones", b"\xff")])
def test_nothing_but_the_same_byte(name, byte):
    for number, frame in enumerate(frames(name)):
        payload = frame[42 if number % 2 else 14 :]
        assert payload == byte * len(payload)
    assert {len(frame) for frame in frames(name)} == set(SIZES)


def test_rhythms():
    bursts, trickle = CLASSES["bursts"](), CLASSES["trickle"]()
    assert len(set(bursts.times)) < len(bursts.times) / 100
    gaps = {round(late - early, 3) for early, late in zip(trickle.times, trickle.times[1:], strict=False)}
    assert gaps == {0.1}
