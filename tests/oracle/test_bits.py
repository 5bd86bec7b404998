"""Each bit of ixy's frame, and of the headers around it, is watched by a rule or free for a stated reason."""

from __future__ import annotations

import captures
import faults
import pytest
from amount import examples
from bench import NAMES, Bench
from formats import FORMATS
from hypothesis import given
from hypothesis import strategies as st

from pytest_ixy.dialect import shipped

COUNT = 100
PLACES = (0, 1, 40, COUNT - 1)

FREE = {
    range(12): "addresses: forwarders touch them, and generators have their own",
    range(34, 38): "ports: nobody asks for them",
}
"""Bytes that ixy-ci's dialect says are free; in another one there are none, or fewer."""

HEADER = {
    range(15, 16): "type of service",
    range(16, 18): "total length, unless it is below the header's: see TOO_SHORT",
    range(18, 20): "identification",
    range(20, 22): "fragment offset and flags",
    range(22, 23): "time to live",
    range(24, 26): "header checksum",
    range(26, 34): "IP addresses",
    range(40, 42): "UDP checksum, which is none",
}
"""Covered by a checksum alone, where the dialect says nothing of them."""

TOO_SHORT = (17, 5)
"""Byte and bit that, flipped, make a total length of 46 one of 14; every other flip leaves at least 20."""

FOREIGN = {
    range(12, 14): "another EtherType, none of them VLAN's or IPv6's: the frame is foreign",
    range(23, 24): "another protocol, none of them TCP: the same",
}
UNPARSABLE = {range(14, 15): "version and header length"}
LONGER_HEADER = (14, 1)
"""The flip that makes a header of 20 bytes one of 28: UDP is found in the payload, with length 0."""

MISSHAPEN = {range(38, 40): "UDP length", range(42, 45): "'ixy'"}
REST = {range(45, 56): "rest of the payload"}
NUMBER = range(56, 60)

TABLES = (
    (FREE, set()),
    (HEADER, {"checksum"}),
    (FOREIGN, {"count", "foreign"}),
    (UNPARSABLE, {"count", "structure"}),
    (MISSHAPEN, {"structure"}),
    (REST, {"payload"}),
)
GONE = {"count", "structure"}
"""Rules that tell of a frame which is no packet, so that its number is not seen either."""

C = shipped("c")


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bits"))


@pytest.fixture(scope="module")
def bench_of_c(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bits-of-c"), C)


def among(table: dict[range, str], byte: int) -> bool:
    return any(byte in places for places in table)


def failing(byte: int, bit: int, at: int) -> set[str]:
    """The rules that have to fail when that bit is flipped in packet number `at` of 0 to COUNT - 1."""
    if byte in NUMBER:
        return failing_for_number(at ^ 1 << (byte - NUMBER.start) * 8 + bit, at)
    fails = next(found for table, found in TABLES if among(table, byte))
    fails = {LONGER_HEADER: {"structure", "checksum"}, TOO_SHORT: {"count", "structure"}}.get(
        (byte, bit), fails
    )
    return fails | {"sequence-bounds"} if at == COUNT - 1 and fails & GONE else fails


def failing_in_c(byte: int, bit: int, at: int) -> set[str]:
    """The same where the dialect tells every byte: what still is a packet differs from its template."""
    found = failing(byte, bit, at)
    return found if byte in NUMBER or found & GONE else found | {"payload"}


def failing_for_number(number: int, at: int) -> set[str]:
    """A number that nobody else has and that the bounds allow is free, unless it comes too early or late."""
    numbers = [number if place == at else place for place in range(COUNT)]
    fails = {"duplicates"} if len({*numbers}) < COUNT else set()
    arrived = list(dict.fromkeys(number for number in numbers if number <= 2 * COUNT))
    fails |= {"order"} if arrived != sorted(arrived) else set()
    fails |= {"fresh"} if at == 0 and number - 1 > COUNT // 4 else set()  # as if of an earlier trial
    return fails if COUNT - 1 <= max(numbers) <= 2 * COUNT else fails | {"sequence-bounds"}


def test_every_byte_stands_in_one_table():
    tables = [places for table in (FREE, HEADER, FOREIGN, UNPARSABLE, MISSHAPEN, REST) for places in table]
    assert sorted(byte for places in [*tables, NUMBER] for byte in places) == list(range(60))


@pytest.mark.parametrize("byte", range(60))
def test_each_bit_of_the_frame(bench, byte):
    for bit in range(8):
        for at in PLACES:
            form = FORMATS[(byte + bit + at) % len(FORMATS)]
            data = faults.flip(byte, bit)(faults.good(COUNT), at, form)
            expected = {**dict.fromkeys(NAMES, "passed"), **dict.fromkeys(failing(byte, bit, at), "failed")}
            assert bench.outcomes(data, COUNT) == expected, (bit, at, form.name)


@examples(100)
@given(byte=st.sampled_from(NUMBER), bit=st.integers(0, 7), at=st.integers(0, COUNT - 1))
def test_bits_of_any_number(bench, byte, bit, at):
    found = bench.outcomes(faults.flip(byte, bit)(faults.good(COUNT), at, FORMATS[0]), COUNT)
    assert {rule for rule, outcome in found.items() if outcome == "failed"} == failing(byte, bit, at)


def test_the_only_free_numbers_are_those_of_a_last_packet_behind_a_gap():
    flips = [(at, bit) for at in range(COUNT) for bit in range(32)]
    free = {(at, at ^ 1 << bit) for at, bit in flips if not failing(56 + bit // 8, bit % 8, at)}
    assert free == {(COUNT - 1, number) for number in (103, 107, 115)}


@pytest.mark.parametrize("byte", range(60))
def test_each_bit_of_a_frame_of_c(bench_of_c, byte):
    """The dialect tells every byte, so every flip is found."""
    for bit in range(8):
        for at in PLACES:
            form = FORMATS[(byte + bit + at) % len(FORMATS)]
            data = faults.flip(byte, bit)(faults.good(COUNT, dialect=C), at, form)
            fails = dict.fromkeys(failing_in_c(byte, bit, at), "failed")
            assert bench_of_c.outcomes(data, COUNT) == {**dict.fromkeys(NAMES, "passed"), **fails}, (bit, at)
            assert fails or byte in NUMBER


# headers of the file and of records


def little(places: range, width: int, *, order: str) -> set[int]:
    """The places of the lower `width` bytes of a field."""
    return set(places[:width] if order == "<" else places[-width:])


@pytest.mark.parametrize("form", [form for form in FORMATS if not form.slack], ids=lambda form: form.name)
def test_each_bit_of_a_classic_file_header(bench, form):
    """Free: version (4-7), zone (8-11), accuracy (12-15), snap length (16-19), length of the FCS (20-23)."""
    watched = {*range(4), *little(range(20, 24), 2, order=form.order)}
    for byte in range(24):
        for bit in range(8):
            found = bench.outcomes(faults.flip_file(byte, bit)(faults.good(COUNT), 0, form), COUNT)
            assert (found["complete"] == "failed") == (byte in watched), (byte, bit)
            if byte not in watched:
                assert set(found.values()) == {"passed"}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_each_bit_of_a_record_header(bench, form):
    """Free: the time, if only it is not before the last one.

    In pcapng every other bit is watched, but for the block's type (see below).
    """
    start = form.start(faults.good(40))
    times = range(12, 20) if form.slack else range(8)
    kind = range(4) if form.slack else range(0)
    for byte in (place for place in range(form.original_at + 4) if place not in kind):
        for bit in range(8):
            found = bench.outcomes(faults.flip_file(start + byte, bit)(faults.good(COUNT), 0, form), COUNT)
            assert (found["complete"] == "passed") == (byte in times), (byte, bit)
            if byte in times:
                assert {rule for rule, outcome in found.items() if outcome != "passed"} <= {"timestamps"}


@pytest.mark.parametrize("form", [form for form in FORMATS if form.slack], ids=lambda form: form.name)
def test_each_bit_of_a_blocks_type(bench, form):
    """Types that nobody knows are stepped over, as the format wants it: the packet is missing.

    Free: the bit that makes an enhanced packet block an obsolete one, which says the same.
    """
    start = form.start(faults.good(40))
    lowest = 0 if form.order == "<" else 3
    for byte in range(4):
        for bit in range(8):
            found = bench.outcomes(faults.flip_file(start + byte, bit)(faults.good(COUNT), 0, form), COUNT)
            seen = "failed" in {found["complete"], found["count"]}
            assert seen == ((byte, bit) != (lowest, 2)), (byte, bit)


def test_the_table_is_of_the_frame_that_pktgen_sends():
    assert captures.ixy_frame(0x01020304)[56:] == b"\x04\x03\x02\x01"
    assert captures.ixy_frame(0)[42:45] == b"ixy"
