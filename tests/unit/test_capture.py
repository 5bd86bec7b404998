from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from captures import (
    Packet,
    block,
    enhanced,
    interface,
    ixy_frame,
    obsolete,
    option,
    packets,
    pcap,
    pcapng,
    section,
    simple,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.capture import CaptureFlaw, Flaw, blocks, window
from pytest_ixy.capture.window import SIZE

Row = tuple[bytes, int, int]


def drain(path: Path) -> tuple[list[Row], CaptureFlaw | None]:
    """Every record as (bytes, length on the wire, ns), and the flaw that ended the reading."""
    rows: list[Row] = []
    try:
        for batch in blocks(path):
            assert batch.first == len(rows) + 1
            assert batch.count > 0
            rows += [
                (batch.frame(row), int(batch.frames.original[row]), int(batch.frames.time[row]))
                for row in range(batch.count)
            ]
    except CaptureFlaw as flaw:
        return rows, flaw
    return rows, None


def read(tmp_path: Path, data: bytes) -> tuple[list[Row], CaptureFlaw | None]:
    path = tmp_path / "capture.pcap"
    path.write_bytes(data)
    return drain(path)


def rows_of(records: list[Packet], *, unit: int = 1000) -> list[Row]:
    return [(one.data, one.wire, one.time // unit * unit) for one in records]


def obvious(data: bytes) -> list[Row]:
    """A slow reader of classic little-endian µs pcap that anybody can check by eye."""
    rows, position = [], 24
    while position + 16 <= len(data):
        seconds, micros, captured, original = struct.unpack_from("<IIII", data, position)
        frame = data[position + 16 : position + 16 + captured]
        if captured > 262_144 or len(frame) < captured:
            break
        rows.append((frame, original, seconds * 10**9 + micros * 1000))
        position += 16 + captured
    return rows


RECORDS = packets(
    [ixy_frame(n) for n in range(50)] + [b"x" * n for n in range(40)] + [b"", b"", b"end"], step=1111
)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_classic_in_both_orders_and_units(tmp_path, order, nano):
    rows, flaw = read(tmp_path, pcap(RECORDS, order=order, nano=nano))
    assert flaw is None
    assert rows == rows_of(RECORDS, unit=1 if nano else 1000)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_in_both_orders(tmp_path, order):
    rows, flaw = read(tmp_path, pcapng(RECORDS, order=order))
    assert flaw is None
    assert rows == rows_of(RECORDS)


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_records_across_many_windows(tmp_path, monkeypatch, write):
    monkeypatch.setattr(window, "SIZE", 1 << 20)
    sizes = [60] * 9000 + [1514] * 1500 + [61, 61, 9000, 60] * 300 + [200_000] * 12 + [0] * 1000
    records = packets([(n % 251).to_bytes(1, "big") * size for n, size in enumerate(sizes)])
    data = write(records)
    assert len(data) > 7 * window.SIZE
    rows, flaw = read(tmp_path, data)
    assert flaw is None
    assert rows == rows_of(records)


def test_agrees_with_an_obvious_reader(tmp_path):
    data = pcap(RECORDS * 3)
    assert read(tmp_path, data)[0] == obvious(data)


def test_a_big_capture_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "big.pcap"
    path.write_bytes(pcap([Packet(ixy_frame(7))] * 300_000))
    tracemalloc.start()
    total = sum(batch.count for batch in blocks(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 300_000
    assert peak < 2 * SIZE < path.stat().st_size


def test_the_upper_half_of_the_link_type_is_not_the_type(tmp_path):
    rows, flaw = read(tmp_path, pcap(RECORDS[:3], link=0x44000001))
    assert (len(rows), flaw) == (3, None)


# pcapng in its variety


def test_all_kinds_of_packet_blocks_between_unknown_ones(tmp_path):
    one, two, three = packets([b"one", b"second", b"the third"])
    unknown = block(0x0BAD, b"?" * 333)
    data = section(options=option(4, b"a program")) + unknown + interface()
    data += enhanced(one) + unknown + obsolete(two) + block(5, b"statistics!!") + simple(three) + unknown
    rows, flaw = read(tmp_path, data)
    assert flaw is None
    assert rows == [(b"one", 3, one.time), (b"second", 6, two.time), (b"the third", 9, 0)]


def test_an_unknown_block_larger_than_the_window(tmp_path):
    one, two = RECORDS[:2]
    data = section() + interface() + enhanced(one) + block(0x0BAD, bytes(3 * SIZE)) + enhanced(two)
    rows, flaw = read(tmp_path, data)
    assert (rows, flaw) == (rows_of([one, two]), None)


def test_sections_change_byte_order_and_interfaces(tmp_path):
    records = RECORDS[:4]
    data = pcapng(records) + section() + pcapng(records, order=">") + pcapng(records)
    rows, flaw = read(tmp_path, data)
    assert (rows, flaw) == (rows_of(records) * 3, None)


@pytest.mark.parametrize(
    ("resolution", "ticks", "expected"),
    [
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (12, 5_000_000_123_456, 5_000_000_123),
        (0x80, 1_700_000_000, 1_700_000_000_000_000_000),
        (0x80 | 10, 1_700_000_000 << 10 | 512, 1_700_000_000_500_000_000),
        (0x80 | 20, 12 << 20 | 1 << 18, 12_250_000_000),
        (0x80 | 40, 3 << 40 | 1 << 39, 3_500_000_000),
        (0x80 | 60, 3 << 60 | 1 << 59, 3_500_000_000),
        (0x7F, 10**15, 0),
        (0xFF, 10**15, 0),
    ],
)
def test_time_resolutions(tmp_path, resolution, ticks, expected):
    options = option(2, b"eth0") + option(9, bytes([resolution])) + option(0, b"")
    data = section() + interface(options=options) + enhanced(Packet(b"x"), ticks=ticks)
    assert read(tmp_path, data)[0] == [(b"x", 1, expected)]


def test_each_interface_has_its_own_clock(tmp_path):
    data = section(">")
    data += interface(order=">") + interface(order=">", options=option(9, b"\x09", ">"))
    data += interface(order=">", options=option(14, struct.pack(">q", 100), ">") + option(1, b"text", ">"))
    data += b"".join(enhanced(Packet(b"x"), ticks=5000, which=n % 3, order=">") for n in range(30))
    times = [time for _, _, time in read(tmp_path, data)[0]]
    assert times == [5_000_000, 5_000, 100_005_000_000] * 10


def test_a_packet_cannot_mean_an_interface_that_comes_later(tmp_path):
    good, early = RECORDS[:2]
    data = section() + interface() + enhanced(good)
    rows, flaw = read(tmp_path, data + enhanced(early, which=1) + interface() + enhanced(good, which=1))
    assert rows == rows_of([good])
    assert flaw is not None
    assert (flaw.kind, flaw.frame, flaw.byte) == (Flaw.CORRUPT, 2, len(data))
    late = data + interface() + enhanced(early, which=1) + interface() + enhanced(good, which=2)
    assert read(tmp_path, late) == (rows_of([good, early, good]), None)


def test_a_simple_packet_is_cut_at_the_first_interfaces_snap_length(tmp_path):
    data = section() + interface(snap=8) + simple(Packet(b"12345678", original=60))
    assert read(tmp_path, data)[0] == [(b"12345678", 60, 0)]


# flaws


def test_missing(tmp_path):
    _, flaw = drain(tmp_path / "none.pcap")
    assert flaw is not None
    assert flaw.kind is Flaw.MISSING
    assert "none.pcap does not exist" in str(flaw)


def test_a_folder_is_unreadable(tmp_path):
    _, flaw = drain(tmp_path)
    assert flaw is not None
    assert flaw.kind is Flaw.UNREADABLE


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", Flaw.EMPTY, "empty file"),
        (b"#!/bin/sh\n" * 9, Flaw.FOREIGN, "starts with 23 21 2f 62"),
        (b"hi", Flaw.FOREIGN, "starts with 68 69"),
        (b"\xd4\xc3", Flaw.HEADER, "2 bytes, 24 needed"),
        (pcap([])[:23], Flaw.HEADER, "23 bytes, 24 needed"),
        (section()[:20], Flaw.HEADER, "20 bytes, 28 needed"),
        (pcap(RECORDS, link=101), Flaw.LINK_TYPE, "link type of frame 1 is 101"),
        (section()[:8] + bytes(20), Flaw.CORRUPT, "without a byte order (00 00 00 00)"),
        (section() + struct.pack("<II", 1, 7) + bytes(20), Flaw.CORRUPT, "type 0x1 claims 7 bytes"),
        (section() + enhanced(RECORDS[0]), Flaw.CORRUPT, "interface 0 was never described"),
        (
            section() + block(0x0BAD, b"x" * 400)[:100],
            Flaw.CUT,
            "frame 1, 100 bytes after its start at byte 28",
        ),
        (section() + struct.pack("<III", 6, 1 << 24, 0), Flaw.CORRUPT, "claims 16,777,216 bytes"),
    ],
)
def test_flaws_before_any_record(tmp_path, data, kind, words):
    rows, flaw = read(tmp_path, data)
    assert rows == []
    assert flaw is not None
    assert flaw.kind is kind
    assert words in str(flaw)


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("missing", [1, 59, 61, 75])
def test_a_cut_record_keeps_those_before_it(tmp_path, write, missing):
    records = packets(ixy_frame(n) for n in range(100))
    whole = write(records)
    rows, flaw = read(tmp_path, whole[:-missing])
    assert rows == rows_of(records)[:-1]
    assert flaw is not None
    assert (flaw.kind, flaw.frame) == (Flaw.CUT, 100)
    assert flaw.byte == len(write(records[:-1]))


def test_an_impossible_length_keeps_the_records_before_it(tmp_path):
    good = packets(ixy_frame(n) for n in range(100))
    data = pcap(good) + struct.pack("<IIII", 0, 0, 0xFFFFFFF0, 60) + bytes(100)
    rows, flaw = read(tmp_path, data)
    assert rows == rows_of(good)
    assert flaw is not None
    assert (flaw.kind, flaw.frame, flaw.byte) == (Flaw.CORRUPT, 101, len(pcap(good)))
    assert "claims to hold 4,294,967,280 bytes" in str(flaw)


def _broken(offset: int, value: int) -> bytes:
    packet = bytearray(enhanced(RECORDS[0]))
    struct.pack_into("<I", packet, offset % len(packet), value)
    return bytes(packet)


@pytest.mark.parametrize(
    ("bad", "kind", "words"),
    [
        (_broken(20, 61), Flaw.CORRUPT, "contradict"),
        (_broken(-4, 1), Flaw.CORRUPT, "contradict"),
        (_broken(8, 9), Flaw.CORRUPT, "interface 9 was never described"),
        (_broken(8, 1), Flaw.LINK_TYPE, "is 113, not Ethernet"),
    ],
)
def test_a_bad_packet_block_keeps_the_records_before_it(tmp_path, bad, kind, words):
    good = packets(ixy_frame(n) for n in range(20))
    data = section() + interface() + interface(link=113) + b"".join(map(enhanced, good))
    rows, flaw = read(tmp_path, data + bad + enhanced(good[0]))
    assert rows == rows_of(good)
    assert flaw is not None
    assert (flaw.kind, flaw.frame, flaw.byte) == (kind, 21, len(data))
    assert words in str(flaw)


def test_frames_cut_by_the_snap_length_tell_both_lengths(tmp_path):
    rows, flaw = read(tmp_path, pcap([Packet(ixy_frame(1)[:32], 0, original=60)]))
    assert (rows, flaw) == ([(ixy_frame(1)[:32], 60, 0)], None)


# hostile bytes


@pytest.mark.parametrize(
    ("data", "frames", "words"),
    [
        ((section() + interface() + enhanced(Packet(b"x"))) * 10_001, 10_000, "more than 10,000 sections"),
        (section() + interface() * 65_537, 0, "an impossible interface"),
    ],
)
def test_a_file_made_to_keep_readers_busy_is_refused(tmp_path, data, frames, words):
    rows, flaw = read(tmp_path, data)
    assert len(rows) == frames
    assert flaw is not None
    assert words in str(flaw)


HEADS = [b"", pcap([])[:24], pcap([], order=">", nano=True), section(), section() + interface()]


@settings(max_examples=150, deadline=None)
@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=400))
def test_no_bytes_break_the_reader(tmp_path_factory, head, tail):
    rows, _ = read(tmp_path_factory.getbasetemp(), head + tail)
    assert sum(len(data) for data, _, _ in rows) <= len(head + tail)


@settings(max_examples=150, deadline=None)
@given(
    write=st.sampled_from([pcap, pcapng]),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6),
    end=st.integers(0, 5000),
)
def test_no_damage_breaks_the_reader(tmp_path_factory, write, changes, end):
    data = bytearray(write(RECORDS))
    for place, value in changes:
        data[place % len(data)] = value
    rows, _ = read(tmp_path_factory.getbasetemp(), bytes(data[:end]))
    assert sum(len(frame) for frame, _, _ in rows) <= end


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(0, 70), max_size=60), cut=st.integers(0, 40))
def test_any_classic_capture_reads_as_the_obvious_reader_does(tmp_path_factory, sizes, cut):
    data = pcap(packets(bytes([n % 256]) * size for n, size in enumerate(sizes)))
    data = data[: max(24, len(data) - cut)]
    assert read(tmp_path_factory.getbasetemp(), data)[0] == obvious(data)
