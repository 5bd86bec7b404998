"""No bytes break the reader: no crash, no endless loop, no memory beyond its bound, no frame made up.

What it reads, and what it calls the flaw that ended the reading, is what the slow and obvious reader says.
"""

from __future__ import annotations

import tracemalloc
from functools import cache

import captures
import pytest
import slow_reader
from amount import examples
from captures import Packet, ixy_frame, packets
from formats import FORMATS, Format
from frames import damaged, files, sections
from hypothesis import given
from hypothesis import strategies as st

from pytest_ixy.capture import CaptureFlaw, blocks

BOUND = 20 << 20
"""Bytes of memory besides the window: a batch of a mebibyte holds at most 65,536 records of 16 bytes, each
with some columns of 8 bytes, and a section at most as many interfaces of 200 bytes."""

HEADS = st.sampled_from(
    [
        b"",
        *(form.head for form in FORMATS),
        *(form.head[:8] for form in FORMATS),
        *(form.head + form.record(Packet(ixy_frame(1))) for form in FORMATS),
        captures.section(),
        captures.section(">"),
    ]
)
WORDS = st.one_of(
    st.integers(0, 80), st.sampled_from([0x0A0D0D0A, 262_144, 262_145, 2**20, 2**31, 2**32 - 1])
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "capture"


def fast(path, data: bytes) -> tuple[list[tuple[bytes, int]], str | None]:
    path.write_bytes(data)
    frames: list[tuple[bytes, int]] = []
    try:
        for batch in blocks(path):
            assert batch.first == len(frames) + 1
            assert batch.count > 0  # so the number of batches has a bound
            columns = batch.frames
            assert columns.time.dtype == columns.original.dtype == "int64"
            assert columns.time.size == columns.original.size == columns.captured.size == batch.count
            frames += [(batch.frame(row), int(columns.original[row])) for row in range(batch.count)]
    except CaptureFlaw as flaw:
        return frames, flaw.kind.value
    return frames, None


def assert_read_as_it_should(path, data: bytes) -> None:
    expected = slow_reader.read(data)
    frames, flaw = fast(path, data)
    assert frames == [(frame.data, frame.original) for frame in expected.frames]
    assert flaw == expected.flaw


@examples(300)
@given(head=HEADS, tail=st.binary(max_size=300))
def test_any_bytes(path, head, tail):
    assert_read_as_it_should(path, head + tail)


@examples(300)
@given(head=HEADS, words=st.lists(WORDS, max_size=40), order=st.sampled_from(["little", "big"]))
def test_any_words(path, head, words, order):
    """Lengths and types are what a reader trips over; random bytes seldom hit sensible ones."""
    assert_read_as_it_should(path, head + b"".join(word.to_bytes(4, order) for word in words))


@examples(300)
@given(data=damaged(st.one_of(files(), sections())))
def test_damaged_captures(path, data):
    assert_read_as_it_should(path, data)


@cache
def big(form: Format) -> bytes:
    return form.file(packets(map(ixy_frame, range(16_000))))


@examples(20)
@given(
    form=st.sampled_from(FORMATS),
    edits=st.lists(st.tuples(st.integers(0, 2**21), st.binary(min_size=1, max_size=4)), max_size=3),
)
def test_damage_near_the_windows_borders(path, form, edits):
    data = bytearray(big(form))
    for place, value in edits:
        near = (place % 200 + (1 << 20) - 100) if place % 2 else place % len(data)
        data[near : near + len(value)] = value
    assert_read_as_it_should(path, bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        captures.pcap([]) + bytes(16) * 200_000,
        captures.pcap([]) + b"".join(captures.pcap([Packet(bytes(n % 7))])[24:] for n in range(100_000)),
        captures.section() + captures.interface() * 65_536 + captures.enhanced(Packet(b"")) * 50_000,
        captures.section() + (captures.interface() + captures.enhanced(Packet(b""))) * 40_000,
        captures.section() + captures.interface() + captures.simple(Packet(b"")) * 150_000,
        (captures.section() + captures.interface() + captures.enhanced(Packet(b"x"))) * 9_999,
        captures.section() + captures.block(5, b"") * 200_000,
        captures.section() + captures.interface() + captures.enhanced(Packet(bytes(262_144))) * 12,
    ],
    ids=["no bytes", "sizes", "interfaces", "mixed", "simple", "sections", "others", "large"],
)
def test_memory_has_a_bound(path, data):
    path.write_bytes(data)
    tracemalloc.start()
    try:
        frames = sum(batch.count for batch in blocks(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert frames == len(slow_reader.read(data).frames)
    assert peak < BOUND


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [0, 6, 9, 19, 20, 127, 128, 128 + 33, 128 + 63, 128 + 64, 255])
def test_no_time_breaks_the_reader(path, order, resolution):
    """Times are as wide as the format makes them; they may be nonsense, never a warning or an error."""
    options = captures.option(9, bytes([resolution]), order) + captures.option(
        14, b"\x7f" + bytes(6) + b"\xff", order
    )
    data = captures.section(order) + captures.interface(order=order, options=options)
    ticks = [0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
    data += b"".join(captures.enhanced(Packet(b"x"), ticks=tick, order=order) for tick in ticks)
    assert fast(path, data) == ([(b"x", 1)] * len(ticks), None)
