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

COUNT = 100
PLACES = (0, 1, 40, COUNT - 1)

FREE = {
    range(12): "addresses: forwarders touch them, and generators have their own",
    range(15, 16): "type of service: no rule, nor etherparse, looks at it",
    range(16, 18): "total length: only one below the header's cannot be parsed, see TOO_SHORT",
    range(18, 20): "identification: the same",
    range(20, 22): "fragment offset and flags: etherparse does not reassemble",
    range(22, 23): "time to live: a forwarder may count it down",
    range(24, 26): "header checksum: several of the family send a wrong one",
    range(26, 34): "IP addresses: no rule looks at them",
    range(34, 38): "ports: no rule looks at them",
    range(40, 42): "UDP checksum: most of the family send none",
    range(45, 56): "rest of the payload: a forwarder touches a byte of it in some dialects",
}
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
NUMBER = range(56, 60)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bits"))


def among(table: dict[range, str], byte: int) -> bool:
    return any(byte in places for places in table)


def failing(byte: int, bit: int, at: int) -> set[str]:
    """The rules that have to fail when that bit is flipped in packet number `at` of 0 to COUNT - 1."""
    if byte in NUMBER:
        return failing_for_number(at ^ 1 << (byte - NUMBER.start) * 8 + bit, at)
    unnumbered = {"sequence-bounds"} if at == COUNT - 1 else set()
    if (byte, bit) == LONGER_HEADER or among(MISSHAPEN, byte):
        return {"structure"} | unnumbered
    if (byte, bit) == TOO_SHORT or among(UNPARSABLE, byte):
        return {"count", "structure"} | unnumbered
    if among(FOREIGN, byte):
        return {"count"} | unnumbered
    return set()


def failing_for_number(number: int, at: int) -> set[str]:
    """A number that nobody else has and that the bounds allow is free; `order` and `loss` would see it."""
    others = set(range(COUNT)) - {at}
    fails = {"duplicates"} if number in others else set()
    highest = max(others | {number})
    return fails if COUNT - 1 <= highest <= 2 * COUNT else fails | {"sequence-bounds"}


def test_every_byte_stands_in_one_table():
    tables = [places for table in (FREE, FOREIGN, UNPARSABLE, MISSHAPEN) for places in table]
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


def test_free_numbers_are_those_in_the_upper_half_of_the_bounds():
    free = {
        at ^ 1 << bit for at in range(COUNT) for bit in range(32) if not failing(56 + bit // 8, bit % 8, at)
    }
    assert free == {number for number in range(COUNT, 2 * COUNT + 1) if number in free}
    assert {100, 127, 128, 199} <= free


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
    """Free: the time. In pcapng every other bit is watched, but for the block's type (see below)."""
    start = form.start(faults.good(40))
    times = range(12, 20) if form.slack else range(8)
    kind = range(4) if form.slack else range(0)
    for byte in (place for place in range(form.original_at + 4) if place not in kind):
        for bit in range(8):
            found = bench.outcomes(faults.flip_file(start + byte, bit)(faults.good(COUNT), 0, form), COUNT)
            assert (found["complete"] == "passed") == (byte in times), (byte, bit)
            if byte in times:
                assert set(found.values()) == {"passed"}


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
