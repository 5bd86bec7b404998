"""checksum: IP's and UDP's, in frames of every kind, and what wrong ones tell."""

from __future__ import annotations

import struct

import pytest
from bundles import make_bundle
from captures import HEAD, Packet, arp_frame, ixy_frame, packets, pcap, pcapng
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.capture import window
from pytest_ixy.dialect import Dialect, shipped
from pytest_ixy.rules import judge
from pytest_ixy.rules.kernel import sums
from pytest_ixy.rules.kernel.observed import observe


def ask(tmp_path, frames, **more):
    return judge(make_bundle(tmp_path, frames, **more), ["checksum"])[0]


def right(data: bytes) -> int:
    """The checksum of RFC 1071, word by word."""
    total = 0
    for high, low in zip(data[::2], [*data[1::2], 0], strict=False):
        total += high * 256 + low
        total = total % 65536 + total // 65536
    return 65535 - total


def edited(frame: bytes, **changes: int | bytes) -> bytes:
    """The frame with other bytes at some places (`b22=9`)."""
    found = bytearray(frame)
    for place, value in changes.items():
        new = value if isinstance(value, bytes) else bytes([value])
        found[int(place[1:]) : int(place[1:]) + len(new)] = new
    return bytes(found)


def with_ip(frame: bytes, change=lambda value: value) -> bytes:
    """The frame with IP's checksum made right, then changed."""
    value = change(right(frame[14:24] + frame[26:34]))
    return edited(frame, b24=struct.pack(">H", value))


def pseudo(frame: bytes) -> bytes:
    return frame[26:34] + bytes([0, 17]) + frame[38:40]


def with_udp(frame: bytes, change=lambda value: value) -> bytes:
    """The frame with UDP's checksum made right, then changed."""
    packet = edited(frame, b40=b"\0\0")[34:60]
    return edited(frame, b40=struct.pack(">H", change(right(pseudo(frame) + packet) or 0xFFFF)))


def swapped(value: int) -> int:
    return value % 256 * 256 + value // 256


FRAMES = [ixy_frame(number) for number in range(100)]
VARIED = [with_ip(edited(frame, b18=struct.pack(">H", n * 7))) for n, frame in enumerate(FRAMES)]
"""With another identification, and so another checksum, in each."""


def test_right_ones_pass(tmp_path):
    for name, frames in {"same": FRAMES, "varied": VARIED, "udp": [*map(with_udp, VARIED)]}.items():
        finding = ask(tmp_path / name, frames)
        assert finding.outcome == "passed"
        assert finding.numbers == {"wrong": 0, "ip": 0, "udp": 0, "packets": 100}
        assert finding.title == "the checksums of 100 UDP packets are right"


def test_one_wrong_packet_is_found_and_shown(tmp_path):
    bad = edited(FRAMES[40], b25=0xBE)
    finding = ask(tmp_path, [*FRAMES[:40], bad, *FRAMES[41:]])
    assert finding.outcome == "reported"
    assert finding.title == "1 of 100 UDP packets has a wrong checksum: IP's in 1"
    assert finding.numbers == {"wrong": 1, "ip": 1, "udp": 0, "packets": 100}
    lines = finding.message.splitlines()
    assert lines[:2] == ["first:", "  frame 41, 0.000040 s, #40, IP 66be instead of 66bd"]
    dump = next(index for index, line in enumerate(lines) if line.lstrip().startswith("0010"))
    assert lines[dump].index("66 be") == lines[dump + 1].index("^^ ^^")
    assert finding.message.count("^^") == 2


def test_both_may_be_wrong_in_one_packet(tmp_path):
    bad = [with_ip(with_udp(frame, lambda value: value ^ 1), lambda value: value ^ 1) for frame in VARIED[:9]]
    only = [with_udp(frame, lambda value: value ^ 1) for frame in VARIED[9:12]]
    finding = ask(tmp_path, [*VARIED, *bad, *only])
    assert finding.title == "12 of 112 UDP packets have a wrong checksum: IP's in 9 and UDP's in 12"
    assert finding.numbers == {"wrong": 12, "ip": 9, "udp": 12, "packets": 112}
    assert ", UDP " in finding.message.splitlines()[1]
    assert finding.message.count("^^") == 4
    assert "  … 7 more" in finding.message


GUESSES = [
    (lambda frame: with_ip(frame, swapped), "IP: the checksum's bytes are swapped"),
    (lambda frame: with_udp(frame, swapped), "UDP: the checksum's bytes are swapped"),
    (lambda frame: with_ip(frame, lambda _: 0), "IP: it was never computed, or over a header that had one"),
    (lambda frame: with_ip(frame, lambda value: 65535 - value), "IP: the sum was not complemented"),
    (
        lambda frame: edited(frame, b22=frame[22] - 1),
        "IP: the checksum was not updated after the header",
    ),
    (
        lambda frame: with_udp(frame, lambda _: 65535 - right(pseudo(frame))),
        "UDP: only the pseudo header",
    ),
    (lambda frame: with_udp(frame, lambda _: right(frame[34:60])), "UDP: the pseudo header was left out"),
    (
        lambda frame: edited(with_udp(edited(frame, b56=bytes(4))), b56=frame[56:60]),
        "UDP: the checksum was made before the sequence number was written",
    ),
    (
        lambda frame: edited(frame, b24=b"\1\2"),
        "IP: the checksum was not updated after the packet",
    ),
]


@pytest.mark.parametrize(("spoil", "words"), GUESSES)
def test_what_a_wrong_one_tells(tmp_path, spoil, words):
    finding = ask(tmp_path, [*VARIED[:7], *map(spoil, VARIED[7:])])
    assert finding.numbers["wrong"] >= 90  # some checksums are the same both ways round
    assert finding.message.splitlines()[0].startswith(f"cause? {words}")
    assert finding.message.count("cause?") == 1


def test_a_number_without_a_zero_that_was_written_too_late(tmp_path):
    frames = [ixy_frame(0x12345678 + n) for n in range(9)]
    late = [edited(with_udp(edited(frame, b56=bytes(4))), b56=frame[56:60]) for frame in frames]
    finding = ask(tmp_path, late)
    assert finding.message.startswith("cause? UDP: the checksum was made before the sequence number")


def test_a_guess_has_to_hold_for_all_that_were_looked_at(tmp_path):
    finding = ask(tmp_path, [with_ip(VARIED[1], swapped), with_ip(VARIED[2], lambda value: value ^ 1)])
    assert "cause?" not in finding.message


def test_the_dialects_own_checksum_under_another_header(tmp_path):
    bad = [edited(frame, b29=9) for frame in FRAMES]
    finding = ask(tmp_path, bad, dialect=shipped("c"))
    assert finding.message.startswith(
        "cause? IP: the checksum was not updated after the header changed: it is the dialect's own\n"
    )


@pytest.mark.parametrize("less", [0, 1])
def test_the_dialects_own_checksum_may_be_the_one_that_pktgen_sends(tmp_path, less):
    frame = FRAMES[0]
    template = {"template": frame[:56].hex(" ") + " ?? ?? ?? ??", "number": {"at": 56}, "magic": "ixy"}
    touched = [{"at": 29, "add": 1}, {"at": 25, "add": 255}]
    declared = Dialect.model_validate({"name": "mine", "touched": touched, **template})
    bad = [edited(frame, b29=9, b25=frame[25] - less) for frame in FRAMES]
    finding = ask(tmp_path, bad, dialect=declared)
    assert finding.message.splitlines()[0].endswith("header changed: it is the dialect's own")


def test_a_dialect_that_sends_a_wrong_one_is_not_judged(tmp_path):
    cpp = shipped("cpp")
    frames = [bytes(byte or 0 for byte in cpp.arriving)] * 3
    finding = ask(tmp_path / "declared", frames, dialect=cpp)
    assert (finding.outcome, finding.title) == ("skipped", "not judged: the dialect cpp sends a wrong one")
    finding = ask(tmp_path / "undeclared", frames)
    assert finding.outcome == "reported"
    assert "cause? IP: the checksum's bytes are swapped" in finding.message
    assert ask(tmp_path / "c", FRAMES, dialect=shipped("c")).outcome == "passed"
    assert ask(tmp_path / "free", VARIED, dialect=shipped("ixy-ci")).outcome == "passed"


@pytest.mark.parametrize(
    ("frames", "words"),
    [([], "nothing was captured"), ([arp_frame()], "1 frame captured, but no UDP packet")],
)
def test_without_udp_nothing_is_judged(tmp_path, frames, words):
    finding = ask(tmp_path, frames)
    assert (finding.outcome, finding.title) == ("skipped", f"not judged: {words}")


def test_a_damaged_end_does_not_hide_what_stands_before(tmp_path):
    data = pcap(packets([edited(frame, b25=0) for frame in FRAMES[:3]])) + b"\xff" * 20
    finding = ask(tmp_path, data)
    assert finding.numbers["wrong"] == 3
    assert "only what was readable is judged" in finding.message


LONG = 8_000
"""Packets that fill more than one block of the small window."""


@pytest.mark.parametrize(
    ("spoil", "ip", "udp"),
    [
        (lambda number: {"b25": 0xBE} if number == LONG - 5 else {}, 1, 0),
        (lambda _: {"b25": 0xBE}, LONG, 0),
        (lambda number: {"b18": b"\1\2"} if number % 2 else {}, LONG // 2, 0),
        (lambda number: {"b40": b"\1\2"} if number == LONG - 5 else {}, 0, 1),
        (lambda number: {"b41": 1} if number % 2 else {}, 0, LONG // 2),
        (lambda _: {"b40": b"\1\2"}, 0, LONG),
        (lambda _: {"b22": 63, "b24": b"\x67\xbd"}, 0, 0),
    ],
)
def test_what_was_right_for_long_may_become_wrong(tmp_path, spoil, ip, udp):
    good = [ixy_frame(number) for number in range(LONG)]
    finding = ask(tmp_path, [*good, *(edited(frame, **spoil(n)) for n, frame in enumerate(good))])
    assert finding.numbers == {"wrong": max(ip, udp), "ip": ip, "udp": udp, "packets": 2 * LONG}


# frames that differ from ixy's


def ipv6(udp: bytes, *, checksum: int | None = None) -> bytes:
    """A frame whose UDP packet has a right checksum, if none is given."""
    addresses = bytes(range(1, 33))
    packet = udp[:6] + b"\0\0" + udp[8:]
    if checksum is None:
        checksum = right(addresses + struct.pack(">IHH", len(udp), 0, 17) + packet) or 0xFFFF
    head = struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + addresses
    return HEAD[:12] + b"\x86\xdd" + head + packet[:6] + struct.pack(">H", checksum) + packet[8:]


def datagram(data: bytes) -> bytes:
    return struct.pack(">HHHH", 7, 8, 8 + len(data), 0) + data


def test_ipv6_has_only_udps(tmp_path):
    good = [ipv6(datagram(bytes([n]) * n)) for n in range(40)]
    none = [ipv6(datagram(b"abc"), checksum=0)]
    finding = ask(tmp_path, [*good, *none, ipv6(datagram(b"abc"), checksum=77)])
    assert finding.numbers == {"wrong": 1, "ip": 0, "udp": 1, "packets": 42}
    assert "frame 42, 0.000041 s, no sequence number, UDP 004d instead of " in finding.message


def test_options_are_covered(tmp_path):
    plain = edited(FRAMES[3], b14=0x47)
    longer = plain[:34] + b"\1\1\1\1\x44\4\5\0" + plain[34:]
    value = right(longer[14:24] + bytes(2) + longer[26:42])
    good = edited(longer, b24=struct.pack(">H", value))
    assert ask(tmp_path / "good", [good]).outcome == "passed"
    finding = ask(tmp_path / "bad", [edited(good, b38=9)])
    assert finding.numbers["ip"] == 1


def test_a_udp_packet_that_was_not_captured_whole_is_not_judged(tmp_path):
    bad = with_udp(FRAMES[3], lambda value: value ^ 1)
    short = edited(bad, b38=b"\0\7")
    finding = ask(tmp_path, [Packet(bad[:59], original=60), Packet(short), Packet(bad)])
    assert finding.numbers == {"wrong": 1, "ip": 0, "udp": 1, "packets": 3}
    assert "frame 3, " in finding.message


def test_a_dialect_without_room_for_udps_checksum(tmp_path):
    template = " ".join("??" if at in {40, 41} else f"{byte:02x}" for at, byte in enumerate(ixy_frame(0)))
    short = Dialect.model_validate({"template": template.replace("00 1a", "00 07")})
    frames = [edited(FRAMES[0], b38=b"\0\7", b40=b"\1\2")] * 9
    assert ask(tmp_path, frames, dialect=short).numbers["wrong"] == 0


def test_a_large_packet_of_odd_length(tmp_path):
    jumbo = [ipv6(datagram(bytes(n % 251 for n in range(size)))) for size in (8_999, 65_000, 31)]
    spoiled = jumbo[1][:-1] + b"\xaa"
    finding = ask(tmp_path, [*jumbo, spoiled])
    assert finding.numbers == {"wrong": 1, "ip": 0, "udp": 1, "packets": 4}
    assert len(finding.message) < 20_000


def test_a_zero_that_was_computed_is_sent_as_ones(tmp_path):
    base = with_udp(FRAMES[0])
    rest = (int.from_bytes(base[40:42]) + int.from_bytes(base[58:60])) % 65535
    ones = edited(base, b40=b"\xff\xff", b58=struct.pack(">H", rest))
    assert with_udp(ones) == ones
    assert ask(tmp_path / "good", [ones, with_udp(FRAMES[1])]).outcome == "passed"
    assert ", UDP 0009 instead of ffff" in ask(tmp_path / "bad", [edited(ones, b40=b"\0\x09")]).message


# as a slow and obvious judge sees it


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "SIZE", 1 << 19)


def slowly(data: bytes) -> tuple[bool, bool, bool]:
    """Whether the frame is UDP, and whether IP's and UDP's checksums are wrong."""
    at = 14
    while data[at - 2 : at] == b"\x81\x00":
        at += 4
    four = data[at - 2 : at] == b"\x08\x00"
    udp = at + (data[at] % 16 * 4 if four else 40) if len(data) > at else at
    if len(data) < udp + 8:
        return False, False, False
    ip = four and right(data[at:udp]) != 0
    length, checksum = struct.unpack_from(">HH", data, udp + 4)
    if checksum == 0 or length < 8 or udp + length > len(data):
        return True, ip, False
    addresses = data[at + 12 : at + 20] if four else data[at + 8 : at + 40]
    covered = addresses + struct.pack(">HH", 17, length) + data[udp : udp + length]
    return True, ip, right(covered) != 0


@st.composite
def variants(draw) -> Packet:
    """A UDP packet: ixy's or another, right or spoiled, tagged, with options, over IPv6, padded or cut."""
    kind = draw(st.sampled_from(["ixy", "ixy", "ixy", "ipv6", "options", "other"]))
    number = draw(st.integers(0, 3))
    change = draw(st.sampled_from([lambda value: value, lambda _: 0, swapped, lambda value: value ^ 256]))
    if kind == "ipv6":
        frame = ipv6(datagram(draw(st.binary(max_size=70))), checksum=draw(st.sampled_from([None, 0, 5])))
    elif kind == "options":
        frame = edited(ixy_frame(number), b14=draw(st.sampled_from([0x46, 0x4F])))
        frame = frame[:34] + bytes((frame[14] % 16 - 5) * 4) + frame[34:]
        frame = edited(frame, b16=b"\0\x60", b24=b"\0\0", b34=draw(st.integers(0, 255)))
        end = 14 + frame[14] % 16 * 4
        frame = edited(frame, b24=struct.pack(">H", change(right(frame[14:end]))))
    elif kind == "other":
        data = draw(st.binary(max_size=80))
        frame = with_ip(HEAD[:34] + datagram(data), change)
    else:
        frame = edited(ixy_frame(number), b18=draw(st.sampled_from([0, 0, 5])))
        frame = with_ip(draw(st.sampled_from([with_udp, with_udp, bytes]))(frame), change)
        frame = with_udp(frame, change) if draw(st.booleans()) else frame
        frame = edited(frame, b58=draw(st.sampled_from([0, 0, 9])))
    if draw(st.sampled_from([False, False, True])):
        frame = frame[:12] + b"\x81\x00\x00\x05" * draw(st.integers(1, 2)) + frame[12:]
    frame += b"\xee" * draw(st.sampled_from([0, 0, 0, 1, 40]))
    kept = draw(st.one_of(st.just(len(frame)), st.just(len(frame)), st.integers(0, len(frame))))
    return Packet(frame[:kept], original=len(frame))


MINE = Dialect.model_validate({"name": "c", "touched": ()})
FORMATS = st.sampled_from(
    [pcap, lambda given: pcap(given, order=">", nano=True), pcapng, lambda given: pcapng(given, order=">")]
)


@settings(max_examples=250, deadline=None)
@given(
    runs=st.lists(st.tuples(variants(), st.sampled_from([1, 1, 3, 90])), min_size=1, max_size=12),
    write=FORMATS,
    wanted=st.sampled_from([shipped(), MINE]),
    at_once=st.sampled_from([sums.AT_ONCE, 300]),
)
def test_any_frames(tmp_path_factory, runs, write, wanted, at_once):
    records = [record for record, times in runs for _ in range(times)]
    path = tmp_path_factory.getbasetemp() / "checksum.pcap"
    path.write_bytes(write(records))
    told = [slowly(record.data) for record in records]
    wrong = [number for number, (_, ip, udp) in enumerate(told, 1) if ip or udp]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "AT_ONCE", at_once)
        observed = observe(path, wanted)
    found = observed.checksums
    assert observed.udp == sum(udp for udp, _, _ in told)
    assert (found.ip, found.udp) == (sum(ip for _, ip, _ in told), sum(udp for _, _, udp in told))
    assert (found.wrong.total, found.wrong.first) == (len(wrong), tuple(wrong[:5]))
