"""payload: every byte that the dialect tells, and what wrong ones tell about the forwarder."""

from __future__ import annotations

from collections import Counter

import pytest
from bundles import make_bundle
from captures import HEAD, Packet, arp_frame, ixy_frame, packets, pcap, pcapng
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.capture import window
from pytest_ixy.dialect import Dialect, shipped
from pytest_ixy.rules import judge
from pytest_ixy.rules.kernel.dissect import dissect_one
from pytest_ixy.rules.kernel.observed import observe

FRAME = ixy_frame(0)
TEMPLATE = FRAME[:56].hex(" ") + " ?? ?? ?? ??"


def dialect(*touched, **more) -> Dialect:
    fields = {"name": "mine", "magic": "ixy", "template": TEMPLATE, "number": {"at": 56}, **more}
    return Dialect.model_validate({**fields, "touched": list(touched)})


FIRST = dialect({"at": 1, "add": 1})


def ask(tmp_path, frames, declared=FIRST, **more):
    return judge(make_bundle(tmp_path, frames, dialect=declared, **more), ["payload"])[0]


def sent(count=100, **changes: int) -> list[bytes]:
    """Packets as pktgen sends them, with other values at some bytes (`b1=3`)."""
    frames = [bytearray(ixy_frame(number)) for number in range(count)]
    for frame in frames:
        for place, value in changes.items():
            frame[int(place[1:])] = value
    return [bytes(frame) for frame in frames]


# what the forwarder does


def test_a_packet_that_was_touched_rightly_passes(tmp_path):
    finding = ask(tmp_path, sent(b1=3))
    assert finding.outcome == "passed"
    assert finding.numbers == {"wrong": 0, "packets": 100, "bytes": 0}
    assert finding.title == "in 100 packets all 56 bytes that the dialect mine tells are right"


def test_a_forwarder_that_touches_nothing_fails(tmp_path):
    finding = ask(tmp_path, sent())
    assert finding.outcome == "failed"
    assert finding.title == "100 of 100 packets differ from the dialect mine in byte 1"
    assert finding.numbers == {"wrong": 100, "packets": 100, "bytes": 1}
    lines = finding.message.splitlines()
    assert lines[0] == (
        "byte 1 (destination MAC): 02 in 100 packets (as pktgen sent it: the forwarder did not touch it), "
        "03 expected"
    )
    assert lines[1] == "cause? the forwarder leaves out byte 1 += 1, or packets come to pcap past it"
    assert lines[2:4] == ["first:", "  frame 1, 0.000000 s, #0"]
    assert "… 95 more" in lines[8]
    dump = next(index for index, line in enumerate(lines) if line.lstrip().startswith("0000  01 02"))
    assert lines[dump].index("02 03") == lines[dump + 1].index("^^")
    assert finding.message.count("^^") == 1
    assert "declare" not in finding.message


def test_a_forwarder_that_touches_another_byte_fails(tmp_path):
    finding = ask(tmp_path, sent(b0=2))
    assert finding.outcome == "failed"
    assert finding.title.endswith("in 2 bytes")
    lines = finding.message.splitlines()
    assert lines[0].startswith("byte 1 (destination MAC): 02 in 100 packets (as pktgen sent it")
    assert lines[1] == "byte 0 (destination MAC): 02 in 100 packets, 01 expected"
    assert lines[2] == "cause? the forwarder adds 1 to byte 0 instead of byte 1 += 1"
    assert finding.message.count("^^") == 2


def test_bytes_that_change_in_other_packets_are_not_what_the_forwarder_touched(tmp_path):
    finding = ask(tmp_path, [*sent(3, b1=3, b0=2), *sent(5)])
    assert "cause? the forwarder leaves out byte 1 += 1" in finding.message
    assert "instead" not in finding.message


def test_a_forwarder_that_touches_twice_fails(tmp_path):
    finding = ask(tmp_path, sent(b1=4))
    assert finding.outcome == "failed"
    lines = finding.message.splitlines()
    assert lines[0] == "byte 1 (destination MAC): 04 in 100 packets (touched twice), 03 expected"
    assert lines[1] == "cause? packets pass the forwarder again and again, or it does more than byte 1 += 1"


def test_a_byte_that_is_wrong_for_another_reason_is_no_fault_of_the_forwarder(tmp_path):
    finding = ask(tmp_path, sent(b1=3, b50=9))
    assert finding.outcome == "failed"
    assert finding.message.startswith("byte 50 (payload 8): 09 in 100 packets, 00 expected\nfirst:")
    assert "cause?" not in finding.message


def test_a_few_untouched_packets_among_many(tmp_path):
    finding = ask(tmp_path, [*sent(60, b1=3), *sent(2), *sent(1, b1=77), *sent(60, b1=3)])
    assert finding.title == "3 of 123 packets differ from the dialect mine in byte 1"
    assert finding.message.startswith(
        "byte 1 (destination MAC): 02 in 2 packets (as pktgen sent it: the forwarder did not touch it), "
        "4d in 1 packet, 03 expected"
    )
    assert "  frame 61, 0.000060 s, #0\n  frame 62, 0.000061 s, #1\n  frame 63, " in finding.message


def test_a_number_of_several_bytes_is_touched_with_its_carry(tmp_path):
    declared = dialect({"at": 0, "width": 2, "add": 255})
    assert ask(tmp_path / "right", sent(b0=0, b1=3), declared).outcome == "passed"
    finding = ask(tmp_path / "wrong", sent(b0=0), declared)
    assert finding.title.endswith("in byte 1")
    assert "cause? the forwarder leaves out bytes 0-1 += 255" in finding.message


def test_bytes_that_are_set(tmp_path):
    declared = dialect({"at": 0, "set": "01 00 00"})
    assert ask(tmp_path / "right", sent(b1=0, b2=0), declared).outcome == "passed"
    finding = ask(tmp_path / "wrong", sent(), declared)
    lines = finding.message.splitlines()
    assert lines[0].startswith("byte 1 (destination MAC): 02 in 100 packets (as pktgen sent it")
    assert (
        lines[2] == "cause? the forwarder leaves out bytes 0-2 := 01 00 00, or packets come to pcap past it"
    )


@pytest.mark.parametrize("name", ["c", "rust", "ocaml", "swift", "java", "javascript", "haskell"])
def test_the_shipped_dialects_tell_a_forwarder_that_touches_nothing(tmp_path, name):
    declared = shipped(name)
    size = declared.size
    good = [bytes(byte or 0 for byte in declared.arriving)] * 3
    assert ask(tmp_path / "good", good, declared).outcome == "passed"
    finding = ask(tmp_path / "bad", [bytes(byte or 0 for byte in declared.sent)] * 3, declared)
    assert finding.outcome == "failed"
    assert finding.message.count("cause? the forwarder leaves out") == len(declared.touched)
    assert finding.numbers["bytes"] <= size


# what else can be wrong


def test_the_undeclared_dialect_reports_with_a_hint(tmp_path):
    bad = [frame[:45] + b".ml" + frame[48:] for frame in sent(b0=9)]
    finding = ask(tmp_path, bad, None)
    assert finding.outcome == "reported"
    assert finding.title == "100 of 100 packets differ from the dialect ixy-ci in 3 bytes"
    assert finding.message.startswith("byte 45 (payload 3): 2e in 100 packets, 00 expected\n")
    assert "note: the target declares no dialect." in finding.message
    assert "pytest-ixy judge --guess" in finding.message


def test_severity_can_be_set(tmp_path):
    assert ask(tmp_path / "one", sent(b50=1), None, rules={"payload": {"severity": "fail"}}).failed
    assert not ask(tmp_path / "two", sent(), FIRST, rules={"payload": {"severity": "report"}}).failed


def test_the_most_frequent_values_are_told(tmp_path):
    values = [9] * 50 + [8] * 30 + [7] * 10 + [6, 5, 4]
    frames = [frame for value in values for frame in sent(1, b1=3, b50=value)]
    (line, *_) = ask(tmp_path, frames).message.splitlines()
    assert line == (
        "byte 50 (payload 8): 09 in 50 packets, 08 in 30 packets, 07 in 10 packets, "
        "3 more values in 3 packets, 00 expected"
    )


def test_touched_bytes_are_told_first_and_few_others(tmp_path):
    finding = ask(tmp_path, [b"\xff" * 12 + frame[12:45] + b"\xff" * 9 + frame[54:] for frame in sent()])
    lines = finding.message.splitlines()
    assert [line.split()[1] for line in lines[:8]] == ["1", "0", "2", "3", "4", "5", "6", "7"]
    assert lines[8] == "… and 13 more bytes"
    assert finding.numbers["bytes"] == 21


def test_tags_move_everything_and_that_is_said(tmp_path):
    tag = b"\x81\x00\x00\x05"
    finding = ask(tmp_path, [frame[:12] + tag + frame[12:] for frame in sent(b1=3)])
    assert finding.numbers["wrong"] == 100
    assert "cause? UDP starts at byte 38 instead of 34: VLAN tags, IP options or IPv6" in finding.message


def test_padding_behind_the_udp_packet_counts_if_the_template_has_it(tmp_path):
    declared = dialect(template=TEMPLATE + " 00 00 00 00")
    good = [frame + bytes(4) for frame in sent()]
    assert ask(tmp_path / "good", good, declared).outcome == "passed"
    for name, write in (("pcap", pcap), ("pcapng", pcapng)):
        data = write(packets([*good, ixy_frame(7) + b"\0\0\1\0"]))
        finding = ask(tmp_path / name, data, declared)
        assert finding.message.startswith("byte 62 (behind the UDP packet): 01 in 1 packet, 00 expected")
        assert "frame 101, " in finding.message


def test_padding_counts_in_frames_of_several_lengths_too(tmp_path):
    declared = dialect(template=TEMPLATE + " 00 00 00 00")
    good = [frame + bytes(4 + n % 2) for n, frame in enumerate(sent())]
    assert ask(tmp_path / "good", good, declared).outcome == "passed"
    finding = ask(tmp_path / "bad", [*good, ixy_frame(7) + b"\0\0\1\0"], declared)
    assert finding.message.startswith("byte 62 (behind the UDP packet): 01 in 1 packet, 00 expected")


def test_bytes_that_were_not_captured_are_not_judged(tmp_path):
    declared = dialect(template=TEMPLATE + " 00 00 00 00")
    cut = [Packet(frame, n * 1000, original=64) for n, frame in enumerate(sent())]
    assert ask(tmp_path, cut, declared).outcome == "passed"


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "nothing was captured"),
        ([arp_frame()] * 2, "2 frames captured, but no UDP packet"),
        (
            [ixy_frame(1, magic=b"abc")],
            "1 UDP packet captured, but none whole with the structure of the dialect mine",
        ),
        (
            [Packet(ixy_frame(1)[:59], original=60)],
            "1 UDP packet captured, but none whole with the structure",
        ),
    ],
)
def test_without_a_packet_of_the_dialect_nothing_is_judged(tmp_path, frames, words):
    finding = ask(tmp_path, frames)
    assert finding.outcome == "skipped"
    assert words in finding.title


def test_a_damaged_end_does_not_hide_what_stands_before(tmp_path):
    finding = ask(tmp_path, pcap(packets(sent(3))) + b"\xff" * 20)
    assert finding.numbers["wrong"] == 3
    assert "only what was readable is judged" in finding.message


def test_the_first_packets_are_those_of_the_capture_whichever_way_they_were_looked_at(tmp_path):
    """Plain ones and others, which are looked at apart from each other."""
    tag = b"\x81\x00\x00\x05"
    good, bad = sent(1, b1=3)[0], ixy_frame(7)
    tagged = good[:12] + tag + good[12:]
    finding = ask(tmp_path, [*[good] * 30, tagged, bad, tagged, *[good] * 30, bad, tagged, bad, bad])
    listed = [line.split(",")[0] for line in finding.message.splitlines() if line.startswith("  frame")]
    assert listed == [f"  frame {number}" for number in (31, 32, 33, 64, 65)]
    assert finding.numbers["wrong"] == 7


def test_however_many_packets_are_wrong_the_message_stays_short(tmp_path):
    frames = [frame[:45] + bytes([n % 251] * 9) + frame[54:] for n, frame in enumerate(sent(20_000))]
    finding = ask(tmp_path, frames)
    assert finding.numbers == {"wrong": 20_000, "packets": 20_000, "bytes": 10}
    assert len(finding.message) < 5_000


# as a slow and obvious judge sees it


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "SIZE", 1 << 19)


@st.composite
def dialects(draw) -> Dialect:
    magic = draw(st.sampled_from(["", "ixy", "ixy.ml"]))
    udp_length = draw(st.sampled_from([26, 26, 26, 26, 27, 40, 8 + len(magic)]))
    size = 34 + udp_length + draw(st.sampled_from([0, 0, 4, 30]))
    rest = draw(st.binary(min_size=size, max_size=size))
    frame = bytearray((HEAD + magic.encode() + rest)[:size])
    frame[38:40] = udp_length.to_bytes(2, "big")
    free = draw(st.sets(st.sampled_from([*range(12), *range(15, 23), *range(24, 38), *range(40, size)])))
    free -= set(range(42, 42 + len(magic)))
    template = " ".join("??" if at in free else f"{byte:02x}" for at, byte in enumerate(frame))
    touch = st.fixed_dictionaries(
        {"at": st.integers(0, 8), "width": st.sampled_from([1, 2, 4]), "add": st.integers(-300, 300)}
    )
    fields = {"magic": magic, "template": template, "touched": draw(st.lists(touch, max_size=2))}
    if size >= 60 and draw(st.booleans()):
        width = draw(st.sampled_from([1, 4, 8]))
        fields["number"] = {"at": draw(st.integers(42 + len(magic), size - width)), "width": width}
    return Dialect.model_validate(fields)


@st.composite
def variants(draw, wanted: Dialect) -> Packet:
    """A packet of the dialect: right, spoiled, tagged, with options, over IPv6, padded or cut."""
    template = draw(st.sampled_from([wanted.arriving, wanted.arriving, wanted.sent]))
    filler = draw(st.sampled_from([0, 0, 7, 255]))
    frame = bytearray(filler if byte is None else byte for byte in template)
    if None in template[16:18]:
        frame[16:18] = (len(frame) - 14).to_bytes(2, "big")
    kind = draw(st.sampled_from(["right", "right", "", "", "tag", "options", "ipv6"]))
    if kind == "right":
        return Packet(bytes(frame))
    for at in draw(st.lists(st.integers(0, len(frame) - 1), max_size=2)):
        frame[at] = draw(st.sampled_from([0, 1, frame[at] ^ 1, 255]))
    if kind == "tag":
        frame[12:12] = b"\x81\x00\x00\x05"
    elif kind == "options":
        frame[14] = 0x46
        frame[34:34] = b"\1\1\1\1"
    elif kind == "ipv6":
        frame[12:34] = b"\x86\xdd\x60\0\0\0\0\x1a\x11\x40" + bytes(32)
    frame += bytes(draw(st.sampled_from([0, 0, 0, 1, 40])))
    kept = draw(st.one_of(st.just(len(frame)), st.just(len(frame)), st.integers(0, len(frame))))
    return Packet(bytes(frame[:kept]), original=len(frame))


def slowly(records, wanted: Dialect):
    """Packets of the dialect, frames that are wrong, and how often each wrong value stands at each byte."""
    shaped, wrong, values = 0, [], Counter()
    for number, record in enumerate(records, 1):
        if dissect_one(record.data, wanted).shaped[0]:
            shaped += 1
            different = [
                (at, byte)
                for at, byte in enumerate(record.data[: wanted.size])
                if wanted.arriving[at] not in {None, byte}
            ]
            values.update(different)
            wrong += [number] if different else []
    return shaped, wrong, values


FORMATS = st.sampled_from(
    [pcap, lambda given: pcap(given, order=">", nano=True), pcapng, lambda given: pcapng(given, order=">")]
)


@settings(max_examples=250, deadline=None)
@given(data=st.data(), wanted=dialects(), write=FORMATS)
def test_any_frames_of_any_dialect(tmp_path_factory, data, wanted, write):
    runs = data.draw(
        st.lists(st.tuples(variants(wanted), st.sampled_from([1, 1, 3, 90])), min_size=1, max_size=12)
    )
    records = [record for record, times in runs for _ in range(times)]
    path = tmp_path_factory.getbasetemp() / "payload.pcap"
    path.write_bytes(write(records))
    shaped, wrong, values = slowly(records, wanted)
    found = observe(path, wanted).payload
    assert (found.packets, found.wrong.total, found.wrong.first) == (shaped, len(wrong), tuple(wrong[:5]))
    assert [place.at for place in found.places] == sorted({at for at, _ in values})
    for place in found.places:
        here = {value: count for (at, value), count in values.items() if at == place.at}
        assert (place.packets, place.kinds) == (sum(here.values()), len(here))
        assert sorted(place.values.values()) == sorted(here.values())[-5:]
        assert here.items() >= place.values.items()
