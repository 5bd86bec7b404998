"""The fast judge says what the slow and obvious one says, for whatever captures."""

from __future__ import annotations

import re

import faults
import pytest
import slow_judge
from amount import examples
from bench import OF_CAPTURE, Bench
from captures import Packet, ixy_frame, packets, pcap
from formats import FORMATS
from frames import damaged, files, sections
from hypothesis import given
from hypothesis import strategies as st

from pytest_ixy.dialect import Dialect
from pytest_ixy.rules.kernel.reordering import MOST

COUNTS = st.one_of(st.integers(1, 14), st.sampled_from([1, 100, 2**31, 2**32]))


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("agreement"))


def assert_agreement(bench: Bench, data: bytes, count: int, dialect: Dialect | None = None) -> None:
    expected, found = slow_judge.judge(data, count, dialect), bench.judge(data, count)
    exact = [rule for rule in OF_CAPTURE if rule != "order" or 2 * count < MOST]
    fast = {rule: (found[rule].outcome, dict(found[rule].numbers)) for rule in exact}
    assert fast == {rule: (expected[rule].outcome, dict(expected[rule].numbers)) for rule in exact}
    for rule in ("size", "structure", "duplicates", "payload", "checksum", "order", "foreign"):
        if rule not in exact:
            continue
        assert _named(rule, found[rule].message) == expected[rule].frames[:5], rule


def _named(rule: str, message: str) -> tuple[int, ...]:
    """The frames that a message lists."""
    pattern = (
        r"^  #[\d,]+ at frame [\d,]+ and frame ([\d,]+)" if rule == "duplicates" else r"^  frame ([\d,]+), "
    )
    return tuple(int(number.replace(",", "")) for number in re.findall(pattern, message, re.MULTILINE))


@examples(500)
@given(data=files(), count=COUNTS)
def test_captures_in_all_formats(bench, data, count):
    assert_agreement(bench, data, count)


@examples(150)
@given(data=sections(), count=COUNTS)
def test_pcapng_in_its_variety(bench, data, count):
    assert_agreement(bench, data, count)


@examples(400)
@given(data=damaged(st.one_of(files(), sections())), count=COUNTS)
def test_damaged_captures(bench, data, count):
    assert_agreement(bench, data, count)


ODD = st.sampled_from([b"", bytes(13), ixy_frame(5)[:50], bytes(900)])
PLACES = st.integers(0, 13_999)


@examples(12)
@given(
    form=st.sampled_from(FORMATS),
    odd=st.dictionaries(PLACES, ODD),
    again=st.lists(st.tuples(PLACES, PLACES), max_size=6),
    end=st.integers(0, 200),
)
def test_captures_larger_than_the_readers_window(bench, form, odd, again, end):
    numbers = list(range(14_000))
    for late, early in again:
        numbers[late] = early
    frames = [odd.get(place, ixy_frame(number)) for place, number in enumerate(numbers)]
    data = form.file(packets(frames))
    assert_agreement(bench, data[: len(data) - end], len(numbers))


def test_the_slow_judge_can_tell():
    """A judge that finds nothing would agree with a blind one."""
    good = pcap(faults.good(10))
    assert {verdict.outcome for verdict in slow_judge.judge(good, 10).values()} == {"passed"}
    bad = pcap([Packet(ixy_frame(90, size=61)), Packet(ixy_frame(91, magic=b"abc")), Packet(ixy_frame(92))])[
        :-1
    ]
    failing = {rule for rule, verdict in slow_judge.judge(bad, 10).items() if verdict.outcome == "failed"}
    assert failing == {"complete", "count", "sequence-bounds", "size", "structure", "timestamps"}
    twice = [Packet(ixy_frame(number)) for number in (9, 4, 9)]
    assert slow_judge.judge(pcap(twice), 3)["duplicates"].frames == (3,)
