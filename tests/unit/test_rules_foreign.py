"""foreign: frames that are not UDP, their kinds, and who sent them."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import frames as strategies
import numpy as np
import pytest
from bundles import make_bundle
from captures import HEAD, Packet, arp_frame, ixy_frame, packets, pcap
from formats import FORMATS
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_packets import OTHER, parse
from slow_reader import Frame

from pytest_ixy.bundle import NicRecord, NodeRecord
from pytest_ixy.capture import window
from pytest_ixy.dialect import shipped
from pytest_ixy.rules import judge
from pytest_ixy.rules.kernel import frequent
from pytest_ixy.rules.kernel.frequent import Frequent
from pytest_ixy.rules.kernel.observed import observe
from pytest_ixy.rules.protocols import named

STP = bytes.fromhex("0180c2000000 101010101010 0026 424203").ljust(60, b"\0")
IPV6 = bytes.fromhex("333300000001 101010101010 86dd 60000000002000ff")
TCP = HEAD[:23] + b"\x06" + HEAD[24:34] + bytes(12) + b"\x50" + bytes(13)
HOPS = bytes([58, 0]) + bytes(6)


def ipv4(protocol):
    return HEAD[:23] + bytes([protocol]) + HEAD[24:34] + bytes(26)


def ipv6(protocol, rest=b""):
    return IPV6[:20] + bytes([protocol, 255]) + bytes(32) + rest


def ethernet(kind, source=b"\x10" * 6):
    return (b"\xff" * 6 + source + kind.to_bytes(2, "big")).ljust(60, b"\0")


def ask(tmp_path, found, **overrides):
    return judge(make_bundle(tmp_path, found, **overrides), ["foreign"])[0]


def test_nothing_but_udp(tmp_path):
    finding = ask(tmp_path, None)
    assert (finding.outcome, finding.title) == ("passed", "every frame is a UDP packet: 100")
    assert finding.numbers == {"foreign": 0, "frames": 100}


def test_one_frame(tmp_path):
    finding = ask(tmp_path, [ixy_frame(0), arp_frame(), ixy_frame(1)])
    assert (finding.outcome, finding.title) == ("reported", "1 of 3 frames is not UDP, but ARP")
    assert finding.numbers == {"foreign": 1, "frames": 3}
    assert finding.message.splitlines()[:7] == [
        "ARP: 1 frame",
        "sent by:",
        "  10:10:10:10:10:10: 1 frame",
        "cause? an operating system talks on the test network: it still drives the NIC",
        "first:",
        "  frame 2, 0.000001 s, no sequence number",
        "frame 2, 0.000001 s after the first, 60 bytes:",
    ]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (arp_frame(), "ARP"),
        (ethernet(0x8035), "RARP"),
        (ethernet(0x88CC), "LLDP"),
        (ethernet(0x88B5), "EtherType 0x88b5"),
        (ethernet(0x0600), "EtherType 0x0600"),
        (ethernet(0x05FF), "LLC (such as spanning tree)"),
        (STP, "LLC (such as spanning tree)"),
        (arp_frame()[:12] + b"\x81\0\0\5" + arp_frame()[12:], "ARP"),
        (TCP, "TCP over IPv4"),
        (ipv4(1), "ICMP over IPv4"),
        (ipv4(2), "IGMP over IPv4"),
        (ipv4(0), "protocol 0 over IPv4"),
        (ipv4(255), "protocol 255 over IPv4"),
        (ipv6(58), "ICMPv6 over IPv6"),
        (ipv6(0, HOPS), "ICMPv6 over IPv6"),
        (ipv6(255), "protocol 255 over IPv6"),
    ],
)
def test_kinds_in_words(tmp_path, frame, words):
    lines = ask(tmp_path, [ixy_frame(0), frame, frame]).message.splitlines()
    assert lines[:2] == [f"{words}: 2 frames", "sent by:"]


@pytest.mark.parametrize(
    "packet",
    [
        Packet(b"", 5),
        Packet(HEAD[:13], 5),
        Packet(ixy_frame(1)[:14] + b"\x65" + ixy_frame(1)[15:], 5),
        Packet(ixy_frame(1)[:41], 5, original=60),
        Packet(TCP[:50], 5, original=60),
    ],
)
def test_what_cannot_be_parsed_or_was_cut_is_left_out(tmp_path, packet):
    finding = ask(tmp_path, [ixy_frame(0), packet])
    assert finding.numbers == {"foreign": 0, "frames": 2}
    assert finding.title == "every frame that can be parsed is a UDP packet: 1 of 2"


def test_the_most_frequent_kinds_and_the_rest(tmp_path):
    found = [ethernet(0x8800 + n) for n in range(9) for _ in range(9 - n)]
    finding = ask(tmp_path, found)
    assert finding.title == "45 of 45 frames are not UDP, most often EtherType 0x8800"
    lines = finding.message.splitlines()
    assert lines[0] == "EtherType 0x8800: 9 frames"
    assert lines[7:9] == ["EtherType 0x8807: 2 frames", "other kinds: 1 frame"]


def test_whose_address_it_is(tmp_path):
    def nic(network, mac):
        return NicRecord(network=network, pci="0000:00:06.0", mac=mac)

    nodes = (
        NodeRecord(name="fwd", nics=(nic("a-b", "52:54:00:AB:02:01"), nic("b-c", None))),
        NodeRecord(name="pcap", nics=(nic("b-c\x1b[31m", "52:54:00:ab:03:01"),)),
    )
    sources = [bytes.fromhex("525400ab0201")] * 3 + [bytes.fromhex("525400ab0301")] * 2 + [b"\2" * 6]
    lines = ask(tmp_path, [ethernet(0x8035, source) for source in sources], nodes=nodes).message.splitlines()
    assert lines[:4] == [
        "RARP: 6 frames",
        "sent by:",
        "  52:54:00:ab:02:01: 3 frames, fwd's own NIC on a-b",
        lines[3],
    ]
    assert lines[3].startswith("  52:54:00:ab:03:01: 2 frames, pcap's own NIC on b-c")
    assert "\x1b" not in lines[3]
    assert lines[4:6] == [
        "  02:02:02:02:02:02: 1 frame",
        "cause? QEMU announces a machine that was restored or moved",
    ]


def test_nothing_captured(tmp_path):
    assert ask(tmp_path, pcap([])).title == "not judged: nothing was captured"


# against a slow and obvious count


def slowly(found):
    """Places of foreign frames, how many of each kind, how many from each source."""
    parsed = [parse(Frame(packet.data, packet.wire), shipped()) for packet in found]
    places = [place for place, packet in enumerate(parsed) if packet.kind == OTHER]
    return places, Counter(int.from_bytes(found[place].data[6:12], "big") for place in places)


@settings(max_examples=200, deadline=None)
@given(
    form=st.sampled_from(FORMATS),
    odd=st.lists(strategies.records(), max_size=30),
    good=st.sampled_from([0, 1, 40, 3000]),
)
def test_any_frames(tmp_path_factory, form, odd, good):
    found = packets(map(ixy_frame, range(good)))
    step = max(1, good // (len(odd) + 1))
    for place, packet in enumerate(odd):
        found.insert(place * step, packet)
    path = tmp_path_factory.getbasetemp() / "foreign.pcap"
    path.write_bytes(form.file(found))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "SIZE", 1 << 17)
        strangers = observe(path, shipped()).strangers
    places, senders = slowly(found)
    assert strangers.total == len(places)
    assert strangers.first == tuple(place + 1 for place in places[:5])
    assert (strangers.senders, strangers.short) == (dict(_first(senders)), 0)
    assert sum(strangers.kinds.values()) <= len(places)
    assert all(named(*kind) for kind in strangers.kinds)


def _first(counts):
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:5]


VALUES = st.lists(st.one_of(st.integers(0, 6), st.integers(0, 2**48 - 1)), max_size=60)


@given(batches=st.lists(VALUES, max_size=8), room=st.integers(1, 12))
def test_frequent_values_are_never_forgotten(batches, room):
    counts = Counter(value for batch in batches for value in batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frequent, "ROOM", room)
        known = Frequent()
        for batch in batches:
            known.add(np.array(batch, np.uint64))
    found = known.most(room + 1)
    assert len(found) <= room
    assert known.short * (room + 1) <= counts.total()
    for value, number in counts.items():
        assert number - known.short <= found.get(value, 0) <= number
    if len(counts) <= room:
        assert list(found.items()) == sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def test_a_capture_full_of_different_senders(tmp_path):
    """Memory stays bounded, and who sends most is found all the same."""
    rows = np.tile(np.frombuffer(bytes(16) + arp_frame(), np.uint8), (200_000, 1))
    rows[:, 8] = rows[:, 12] = 60
    rows[:, 22:26] = np.arange(200_000, dtype="<u4")[:, None].view(np.uint8)
    rows[::10, 22:28] = 0xAA
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap([]) + rows.tobytes())
    tracemalloc.start()
    try:
        strangers = observe(path, shipped()).strangers
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert strangers.total == 200_000
    (sender, number), *_ = strangers.senders.items()
    assert (sender, strangers.short > 0) == (0xAAAAAAAAAAAA, True)
    assert 20_000 - strangers.short <= number <= 20_000
    assert peak < 40 << 20
    lines = ask(tmp_path, path.read_bytes()).message.splitlines()
    assert lines[2] == f"  aa:aa:aa:aa:aa:aa: at least {number:,} frames"
