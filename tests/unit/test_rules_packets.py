"""count, sequence-bounds, duplicates, size and structure."""

from __future__ import annotations

import numpy as np
import pytest
from bundles import make_bundle, make_nodes
from captures import HEAD, Packet, arp_frame, ixy_frame, packets, pcap

from pytest_ixy.rules import Evidence, judge
from pytest_ixy.rules.kernel.seen import Repeat


def ask(tmp_path, rule, frames, **overrides):
    return judge(make_bundle(tmp_path, frames, **overrides), [rule])[0]


def only_failing(bundle) -> set[str]:
    return {finding.rule for finding in judge(bundle) if finding.failed}


# what one pass shows


def test_observed_columns(tmp_path):
    frames = [arp_frame(), ixy_frame(7), ixy_frame(5, magic=b"abc"), ixy_frame(6), ixy_frame(0xFFFFFFFF)]
    evidence = Evidence(make_bundle(tmp_path, pcap(packets(frames, step=500_000_000))))
    observed = evidence.observed
    assert (observed.numbered, observed.highest, observed.repeated) == (3, 0xFFFFFFFF, 0)
    (batch,) = evidence.numbered()
    assert batch.sequence.dtype == np.uint32
    assert batch.sequence.tolist() == [7, 6, 0xFFFFFFFF]
    assert batch.seconds.tolist() == [0.5, 1.5, 2.0]
    assert batch.frame.tolist() == [2, 4, 5]
    assert (observed.frames, observed.udp, observed.foreign, observed.seconds) == (5, 4, 1, 2.0)
    assert evidence.observed is observed
    assert [packet.sequence for packet in evidence.packets([1, 2, 3, 4, 99])] == [None, 7, None, 6]
    assert [packet.seconds for packet in evidence.packets([1, 4])] == [0, 1.5]


def test_packets_come_in_the_order_asked_for(tmp_path):
    frames = [ixy_frame(n) for n in range(20_000)]
    evidence = Evidence(make_bundle(tmp_path, frames))
    found = evidence.packets([19_999, 3, 20_001])
    assert [(one.frame, one.data) for one in found] == [(19_999, frames[19_998]), (3, frames[2])]
    assert found[1].seconds == pytest.approx(2e-6)


def test_numbers_are_found_over_block_borders(tmp_path):
    expected = [n ^ 1 for n in range(50_000)]
    frames = [
        frame for n in expected for frame in ([arp_frame()[:42]] if n % 1000 == 0 else []) + [ixy_frame(n)]
    ]
    evidence = Evidence(make_bundle(tmp_path, frames))
    assert [number for batch in evidence.numbered() for number in batch.sequence.tolist()] == expected
    observed = evidence.observed
    assert (observed.frames, observed.foreign, observed.numbered) == (50_050, 50, 50_000)
    assert (observed.highest, observed.repeated) == (49_999, 0)


# count


@pytest.mark.parametrize("number", [99, 101])
def test_count_wants_exactly_n(tmp_path, number):
    bundle = make_bundle(tmp_path, map(ixy_frame, range(number)))
    assert only_failing(bundle) == ({"count", "sequence-bounds"} if number == 99 else {"count"})
    finding = judge(bundle, ["count"])[0]
    assert finding.title == f"{number} packets captured, 100 expected"
    assert finding.numbers == {"packets": number, "expected": 100, "foreign": 0}
    assert "pktgen on pktgen-fwd: sent 104" in finding.message


def test_other_frames_do_not_count(tmp_path):
    frames = [arp_frame(), *map(ixy_frame, range(100)), arp_frame()]
    assert only_failing(make_bundle(tmp_path, frames)) == set()


def test_unknown_counters_are_not_mentioned(tmp_path):
    finding = ask(tmp_path, "count", [ixy_frame(0)], nodes=make_nodes(None, None))
    assert "seen from the networks" not in finding.message


# sequence-bounds


@pytest.mark.parametrize(
    ("highest", "outcome"), [(98, "failed"), (99, "passed"), (200, "passed"), (201, "failed")]
)
def test_bounds(tmp_path, highest, outcome):
    finding = ask(tmp_path, "sequence-bounds", map(ixy_frame, [0, highest, 1]))
    assert finding.outcome == outcome
    assert finding.numbers == {"highest": highest, "lower_bound": 99, "upper_bound": 200}


def test_bounds_show_the_number(tmp_path):
    finding = ask(tmp_path, "sequence-bounds", map(ixy_frame, [0, 4_000_000_000, 250]))
    assert finding.title == "the highest sequence number is 4,000,000,000, above 200 (2 N)"
    assert "frame 2, 0.000001 s, #4,000,000,000" in finding.message
    rows = finding.message.splitlines()
    at = next(index for index, row in enumerate(rows) if row.lstrip().startswith("0030"))
    assert rows[at].index("00 28 6b ee") == rows[at + 1].index("^^ ^^ ^^ ^^")


def test_bounds_tell_how_many_and_show_the_first(tmp_path):
    finding = ask(tmp_path, "sequence-bounds", [ixy_frame(n, size=64) for n in (0, 200, *range(201, 208))])
    lines = finding.message.splitlines()
    assert lines[0].startswith("7 packets above it: ")
    assert [line.split(",")[0] for line in lines[2:7]] == [f"  frame {n}" for n in range(3, 8)]
    assert (lines[1], lines[7]) == ("first:", "  … 2 more")
    assert finding.message.count("^^") == 4


def test_bounds_too_low_show_the_highest(tmp_path):
    finding = ask(tmp_path, "sequence-bounds", map(ixy_frame, [0, 98, 1, 98]), nodes=make_nodes(None, None))
    lines = finding.message.splitlines()
    assert lines[0] == "100 different numbers, counted from 0, reach at least 99."
    assert lines[1:3] == ["  frame 2, 0.000001 s, #98", "frame 2, 0.000001 s after the first, 60 bytes:"]


# duplicates


def test_one_duplicate(tmp_path):
    frames = list(map(ixy_frame, range(99)))
    bundle = make_bundle(tmp_path, [*frames, bytes([frames[3][0] + 1]) + frames[3][1:]])
    finding = judge(bundle, ["duplicates"])[0]
    assert finding.title == "1 of 100 packets carries a sequence number seen before"
    assert finding.message.startswith("first:\n  #3 at frame 4 and frame 100 (0.000096 s later)")
    rows = finding.message.splitlines()
    at = next(index for index, row in enumerate(rows) if row.lstrip().startswith("0000"))
    assert rows[at + 1].count("^^") == 1
    assert rows[at].index("02 02 03") == rows[at + 1].index("^^")


def test_an_identical_duplicate_is_called_so(tmp_path):
    finding = ask(tmp_path, "duplicates", [ixy_frame(1), ixy_frame(2), ixy_frame(1)])
    assert "frame 3 is the same as frame 1, byte for byte" in finding.message


def test_the_first_five_duplicates_are_listed(tmp_path):
    finding = ask(tmp_path, "duplicates", map(ixy_frame, [*range(7), *range(7)]))
    listed = [line for line in finding.message.splitlines() if " s later)" in line]
    assert [line[2:4] for line in listed] == ["#0", "#1", "#2", "#3", "#4"]
    assert "  … 2 more" in finding.message.splitlines()


def test_a_duplicate_at_once_in_an_ordered_capture(tmp_path):
    assert ask(tmp_path, "duplicates", map(ixy_frame, [0, 1, 1, 2])).numbers["duplicates"] == 1


def test_a_number_three_times_is_two_duplicates(tmp_path):
    finding = ask(tmp_path, "duplicates", map(ixy_frame, [5, 9, 5, 1, 0xFFFFFFFF, 5, 1]))
    assert finding.numbers == {"duplicates": 3, "packets": 7, "replicated_numbers": 2, "fraction": 3 / 4}
    assert finding.message.splitlines()[:4] == [
        "first:",
        "  #5 at frame 1 and frame 3 (0.000002 s later)",
        "  #5 at frame 1 and frame 6 (0.000005 s later)",
        "  #1 at frame 4 and frame 7 (0.000003 s later)",
    ]


def test_packets_in_any_order_are_no_duplicates(tmp_path):
    assert only_failing(make_bundle(tmp_path, map(ixy_frame, reversed(range(100))))) == {"order"}


# size


@pytest.mark.parametrize("size", [59, 61, 64, 1514])
def test_sizes(tmp_path, size):
    frames = [ixy_frame(n, size=size if n in {40, 41} else 60) for n in range(100)]
    bundle = make_bundle(tmp_path, frames)
    assert only_failing(bundle) == {"size"}
    finding = judge(bundle, ["size"])[0]
    assert finding.title == "2 of 100 packets are not 60 bytes long"
    assert f"{size:,} bytes: 2 packets" in finding.message
    assert "frame 41, 0.000040 s" in finding.message
    assert finding.message.count("^^") == max(0, min(size, 160) - 60)


def test_the_snap_length_is_no_matter_of_size(tmp_path):
    frames = [Packet(ixy_frame(n)[:50], n, original=60) for n in range(100)]
    bundle = make_bundle(tmp_path, frames)
    size, structure, bounds = judge(bundle, ["size", "structure", "sequence-bounds"])
    assert (size.outcome, structure.outcome, bounds.outcome) == ("passed", "passed", "skipped")
    complete = judge(bundle, ["complete"])[0]
    assert complete.title == "the snap length cut 100 frames of 100"


# structure


@pytest.mark.parametrize(
    ("bad", "words", "carets"),
    [
        (ixy_frame(40, magic=b"iyx"), "does not start with 'ixy'", 2),
        (ixy_frame(40, udp_length=27), "UDP length other than 26", 1),
        (ixy_frame(40, udp_length=0x1A00), "UDP length other than 26", 2),
        (HEAD[:14] + b"\x65" + ixy_frame(40)[15:], "headers cannot be parsed", 0),
        (HEAD[:14] + b"\x44" + ixy_frame(40)[15:], "headers cannot be parsed", 0),
        (HEAD[:13], "headers cannot be parsed", 0),
    ],
)
def test_structure(tmp_path, bad, words, carets):
    frames = [bad if n == 40 else ixy_frame(n) for n in range(100)]
    bundle = make_bundle(tmp_path, frames)
    assert "structure" in only_failing(bundle) <= {"structure", "count"}
    finding = judge(bundle, ["structure"])[0]
    assert finding.title.startswith("1 packet without ixy's structure among")
    assert f"1 packet {'whose' if 'headers' in words else 'with a'}" in finding.message
    assert words in finding.message
    assert "frame 41, 0.000040 s, no sequence number" in finding.message
    assert finding.message.count("^^") == carets


def test_the_dialects_pass(tmp_path):
    def dialect(number):
        frame = bytearray(ixy_frame(number))
        frame[0:4] = b"\1\0\0\0"
        frame[6:12] = b"\x11\x12\x13\x14\x15\x16"
        frame[24] += 1
        frame[48] += 1
        return bytes(frame)

    assert only_failing(make_bundle(tmp_path, map(dialect, range(100)))) == set()


def test_udp_is_found_behind_tags_and_options_and_ipv6(tmp_path):
    plain = ixy_frame(1)
    tag = b"\x81\x00\x00\x05"
    ipv6 = bytes.fromhex("60000000001a1140") + bytes(32)
    frames = [
        plain[:12] + tag + plain[12:],
        plain[:12] + tag + tag + plain[12:],
        plain[:14] + b"\x47" + plain[15:34] + bytes(8) + plain[34:],
        plain[:12] + b"\x86\xdd" + ipv6 + plain[34:],
    ]
    evidence = Evidence(make_bundle(tmp_path, frames))
    observed = evidence.observed
    assert [batch.sequence.tolist() for batch in evidence.numbered()] == [[1, 1, 1, 1]]
    assert (observed.repeated, [repeat.frame for repeat in observed.repeats]) == (3, [2, 3, 4])
    assert observed.size.kinds == {"64 bytes": 1, "68 bytes": 2, "80 bytes": 1}


def test_tcp_and_stp_are_foreign(tmp_path):
    tcp = ixy_frame(1)[:23] + b"\x06" + ixy_frame(1)[24:46] + b"\x50" + ixy_frame(1)[47:]
    stp = bytes.fromhex("0180c2000000 101010101010 0026 424203").ljust(60, b"\0")
    observed = Evidence(make_bundle(tmp_path, [tcp, stp, arp_frame()])).observed
    assert (observed.foreign, observed.structure.total) == (3, 0)


def test_what_etherparse_cannot_parse_is_unreadable(tmp_path):
    def edited(*changes):
        frame = bytearray(ixy_frame(1))
        for place, value in changes:
            frame[place] = value
        return bytes(frame)

    short_total, short_tcp, long_tcp = edited((17, 19)), edited((23, 6)), edited((23, 6), (46, 0xF0))
    observed = Evidence(make_bundle(tmp_path, [short_total, short_tcp, long_tcp, edited((17, 20))])).observed
    assert (observed.udp, observed.structure.first) == (1, (1, 2, 3))


def behind(*extensions: tuple[int, int], protocol: int = 17) -> bytes:
    """ixy's UDP behind extension headers, each given by its kind and the length that it claims."""
    following = [*(kind for kind, _ in extensions), protocol][1:]
    chain = b"".join(
        bytes([after, words]).ljust(8 if kind == 44 else 8 + 8 * words, b"\0")
        for (kind, words), after in zip(extensions, following, strict=True)
    )
    head = b"\x60" + bytes(5) + bytes([extensions[0][0], 64]) + bytes(32)
    return HEAD[:12] + b"\x86\xdd" + head + chain + ixy_frame(3)[34:]


@pytest.mark.parametrize("kind", [0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254])
def test_udp_is_found_behind_an_extension_of_ipv6(tmp_path, kind):
    frames = [behind((kind, 0)), behind((kind, 2)), behind((kind, 2))[:-19], behind((kind, 0))[:61]]
    observed = Evidence(make_bundle(tmp_path, frames)).observed
    assert (observed.numbered, observed.repeated, observed.highest) == (2, 1, 3)
    assert observed.structure.first == (3, 4)


def test_udp_is_found_behind_many_extensions_of_ipv6(tmp_path):
    found = [behind((0, 0), (60, 70)), behind(*[(60, 0)] * 12)]
    other = [behind((0, 0), protocol=58), behind((51, 0), protocol=59)]
    unreadable = [behind(*[(60, 0)] * 13), behind((43, 0))[:60], behind((43, 255))[:200]]
    observed = Evidence(make_bundle(tmp_path, [*found, *other, *unreadable])).observed
    assert (observed.numbered, observed.repeats) == (2, (Repeat(3, 2),))
    assert observed.structure.first == (5, 6, 7)


def test_a_contradiction_is_told_even_where_the_snap_length_cut_later(tmp_path):
    bad = HEAD[:14] + b"\x44" + ixy_frame(4)[15:]
    cut = [Packet(bad[:length], original=60) for length in (50, 34, 33)]
    observed = Evidence(make_bundle(tmp_path, cut)).observed
    assert observed.structure.first == (1, 2)


@pytest.mark.parametrize("kept", [42, 43, 44])
def test_what_follows_a_frame_in_the_file_is_not_taken_for_its_payload(tmp_path, kept):
    record = pcap([Packet(ixy_frame(1)[:kept])])
    follows = b"ixy"[kept - 42 :].ljust(16, b"\0")  # the header of a record without bytes
    observed = Evidence(make_bundle(tmp_path, record + follows)).observed
    assert observed.structure.first == (1, 2)
