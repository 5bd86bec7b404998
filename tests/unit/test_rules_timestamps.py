"""timestamps: what it says, and that the fast way through a block says what a look at each time says."""

from __future__ import annotations

import dataclasses
import itertools
import struct

import captures
import numpy as np
import pytest
from bundles import make_bundle
from captures import Packet, arp_frame, ixy_frame, packets, pcap
from formats import FORMATS
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.capture import blocks, window
from pytest_ixy.capture import times as captured_times
from pytest_ixy.dialect import shipped
from pytest_ixy.rules import judge
from pytest_ixy.rules.kernel.clock import mistimed
from pytest_ixy.rules.kernel.observed import observe

SECOND = 10**9
TODAY = 1_700_000_000 * SECOND
YEAR_2000 = 946_684_800 * SECOND
CLASSIC = [form for form in FORMATS if not form.slack]
SIZE = 1 << 16


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "SIZE", SIZE)


def ask(tmp_path, data):
    return judge(make_bundle(tmp_path, data), ["timestamps"])[0]


def at(*times, frame=None):
    return [Packet(frame or ixy_frame(n), time) for n, time in enumerate(times)]


def slowly(times, wild=()):
    """The numbers of the rule, from times in ns and the places of those that are out of range."""
    steps = [early - late for early, late in itertools.pairwise(times) if late < early]
    return {
        "backwards": len(steps),
        "furthest_back": max(steps, default=0) / SECOND,
        "out_of_range": len(wild),
        "unset": sum(time == 0 for time in times),
        "early": sum(time < YEAR_2000 for time in times),
        "frames": len(times),
    }


# what it says


def test_a_good_capture(tmp_path):
    finding = ask(tmp_path, None)
    assert (finding.outcome, finding.title) == ("passed", "the times of 100 frames never step back")
    assert finding.numbers == slowly([TODAY + n * 1000 for n in range(100)])


def test_equal_times_are_fine(tmp_path):
    assert ask(tmp_path, pcap(at(*[TODAY] * 50))).outcome == "passed"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_step_back(tmp_path, form):
    found = at(TODAY, TODAY + SECOND, TODAY + 1000, TODAY + 2 * SECOND)
    finding = ask(tmp_path, form.file(found))
    assert finding.outcome == "reported"
    assert finding.title == (
        "among the times of 4 frames: 1 earlier than the one before, by up to 0.999999 s"
    )
    assert finding.numbers == slowly([packet.time for packet in found])
    assert finding.message.splitlines()[1:] == [
        "cause? seconds and their fraction were read one after the other, and a second began in between",
        "first:",
        "  frame 3, 2023-11-14 22:13:20.000001000, #2: 0.999999 s earlier than the one before",
    ]


@pytest.mark.parametrize("form", CLASSIC, ids=lambda form: form.name)
@pytest.mark.parametrize("over", [0, 1, 2**32 - 1])
def test_a_fraction_of_a_second_or_more(tmp_path, form, over):
    unit, second = (1, SECOND) if form.name.endswith("ns") else (1000, 10**6)
    data, start = bytearray(form.file(packets(map(ixy_frame, range(9))))), form.start(at(*[TODAY] * 4))
    fraction = min(second + over, 2**32 - 1)
    struct.pack_into(form.order + "I", data, start + 4, fraction)
    finding = ask(tmp_path, bytes(data))
    times = [TODAY + n * 1000 // unit * unit for n in range(9)]
    times[4] = TODAY + fraction * unit
    assert finding.numbers == slowly(times, [4])
    assert finding.title.startswith("among the times of 9 frames: 1 earlier than the one before")
    lines = finding.message.splitlines()
    assert lines[1] == "1 with a fraction of a whole second or more"
    assert any(line.startswith("  frame 5, ") and "its fraction is" in line for line in lines)
    struct.pack_into(form.order + "I", data, start + 4, second - 1)
    (tmp_path / "less").mkdir()
    assert ask(tmp_path / "less", bytes(data)).numbers["out_of_range"] == 0


def test_nanoseconds_in_a_format_for_microseconds(tmp_path):
    data = bytearray(pcap(packets(map(ixy_frame, range(9)), step=10_000_000), nano=True))
    data[:4] = pcap([])[:4]
    finding = ask(tmp_path, bytes(data))
    assert finding.numbers["out_of_range"] == 8
    assert "cause? the file's header tells another unit than its records have" in finding.message


def test_short_steps_back_are_told_without_an_exponent(tmp_path):
    finding = ask(tmp_path, pcap(at(TODAY + 1_000, TODAY, 0)))
    assert finding.title == (
        "among the times of 3 frames: 2 earlier than the one before, by up to 1,700,000,000 s; "
        "1 before the year 2000, 1 of them 0"
    )
    assert "#1: 0.000001 s earlier than the one before" in finding.message


def test_a_clock_that_was_set_meanwhile(tmp_path):
    finding = ask(tmp_path, pcap(at(0, 1_000, YEAR_2000 - 1_000, YEAR_2000, TODAY)))
    assert finding.title == "among the times of 5 frames: 3 before the year 2000, 1 of them 0"
    assert "cause? the clock was set while frames were captured" in finding.message
    assert finding.message.splitlines()[-3:] == [
        "  frame 1, 1970-01-01 00:00:00.000000000, #0: before the year 2000",
        "  frame 2, 1970-01-01 00:00:00.000001000, #1: before the year 2000",
        "  frame 3, 1999-12-31 23:59:59.999999000, #2: before the year 2000",
    ]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0], "before the year 2000"),
        ([0, 0], "had no clock"),
        ([0, 1000], "counts from the start of the machine"),
        ([5000, 6000], "counts from the start of the machine"),
        ([6000, TODAY], "the clock was set while frames were captured"),
    ],
)
def test_times_of_another_era(tmp_path, times, words):
    finding = ask(tmp_path, pcap(at(*times)))
    assert finding.outcome == "reported"
    assert words in finding.message


def test_frames_without_a_time(tmp_path):
    simple = [captures.simple(Packet(ixy_frame(n))) for n in range(3)]
    timed = [captures.enhanced(packet) for packet in at(TODAY, TODAY - SECOND)]
    head = captures.section() + captures.interface()
    finding = ask(tmp_path, head + simple[0] + timed[0] + simple[1] + timed[1] + simple[2])
    assert finding.numbers == slowly([TODAY, TODAY - SECOND])
    assert "  frame 4, " in finding.message
    (tmp_path / "simple").mkdir()
    finding = ask(tmp_path / "simple", head + b"".join(simple))
    assert finding.title == "not judged: the frames of this capture have no times"


def test_steps_back_that_a_signed_number_cannot_tell(tmp_path):
    options = captures.option(9, b"\x09")
    head = captures.section() + captures.interface(options=options)
    ticks = [2**63 - 1, 2**63, TODAY]
    data = head + b"".join(captures.enhanced(Packet(ixy_frame(0)), ticks=one) for one in ticks)
    finding = ask(tmp_path, data)
    assert finding.numbers == slowly([2**63 - 1, -(2**63), TODAY])
    assert "frame 2, 1677-09-21 00:12:43.145224192" in finding.message


def test_only_what_was_readable_is_judged(tmp_path):
    finding = ask(tmp_path, pcap(at(TODAY, TODAY - 1000, TODAY))[:-1])
    assert finding.numbers == slowly([TODAY, TODAY - 1000])
    assert "note: only what was readable is judged" in finding.message


# the fast way through a block


def steadily(path):
    """How many of the blocks were found steady, after comparing each with its times."""
    found = 0
    for block in blocks(path):
        stamps = block.times.stamps()
        good = bool(stamps.timed.all()) and not stamps.wild.any() and bool((np.diff(stamps.time) >= 0).all())
        assert not block.times.steady() or good
        assert (stamps.time == block.frames.time).all()
        found += block.times.steady()
    return found


SIZES = {
    "alike": ixy_frame,
    "with others": lambda n: arp_frame()[:42] if n % 97 == 5 else ixy_frame(n),
    "of all sizes": lambda n: ixy_frame(n, size=60 + n * 37 % 64),
}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("step", [1000, 1_000_000])
def test_every_good_block_is_known_to_be_steady(tmp_path, form, kind, step):
    path = tmp_path / "c.pcap"
    path.write_bytes(form.file(packets(map(SIZES[kind], range(4000)), step=step)))
    assert steadily(path) == len(list(blocks(path))) >= 3
    clock = observe(path, shipped()).clock
    assert (clock.frames, clock.backwards, clock.out_of_range, clock.early) == (4000, 0, 0, 0)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", SIZES)
def test_one_step_back_anywhere(tmp_path, form, kind):
    """Also from block to block, and beside records that stand between those of the usual size."""
    good = packets(map(SIZES[kind], range(3000)))
    path = tmp_path / "c.pcap"
    path.write_bytes(form.file(good))
    borders = [block.first - 1 for block in blocks(path)][1:3]
    assert len(borders) == 2
    for place in (1, *borders, 96, 102, 103, 2999):
        late = [dataclasses.replace(packet, time=packet.time - 5000) for packet in good[place:]]
        path.write_bytes(form.file([*good[:place], *late]))
        clock = observe(path, shipped()).clock
        assert (clock.backwards, clock.furthest) == (1, 4000), place
        assert [one.frame for one in mistimed(path)] == [place + 1]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("much", [SECOND, 2**32 * 1000])
def test_one_step_back_of_the_upper_half_of_a_time(tmp_path, form, kind, much):
    """The lower half goes on as if nothing had happened."""
    found = packets(map(SIZES[kind], range(2000)))
    path = tmp_path / "c.pcap"
    for place in (50, 102, 1999):
        early = dataclasses.replace(found[place], time=found[place].time - much)
        path.write_bytes(form.file([*found[:place], early, *found[place + 1 :]]))
        clock = observe(path, shipped()).clock
        assert (clock.backwards, clock.furthest) == (1, much - 1000), place


def test_the_columns_are_not_made_for_good_blocks(tmp_path, monkeypatch):
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(packets(map(ixy_frame, range(4000)))))
    monkeypatch.setattr("pytest_ixy.capture.pcap.Stamps", None)
    assert observe(path, shipped()).clock.frames == 4000


TIMES = st.one_of(
    st.just(1),
    st.just(0),
    st.sampled_from([SECOND, -1000, -SECOND, 999_999_000, 60 * SECOND, -TODAY]),
    st.integers(0, 2000),
)
RUN = st.tuples(st.sampled_from(sorted(SIZES)), TIMES, st.integers(1, 700))


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(FORMATS),
    start=st.sampled_from([0, 5 * SECOND, YEAR_2000 - SECOND, TODAY, TODAY + SECOND - 300_000]),
    runs=st.lists(RUN, min_size=1, max_size=9),
    wild=st.dictionaries(st.integers(0, 5000), st.integers(0, 2**32 - 1), max_size=3),
)
def test_any_times(tmp_path_factory, form, start, runs, wild):
    found, time = [], start
    for kind, step, count in runs:
        for n in range(count):
            found.append(Packet(SIZES[kind](len(found)), time))
            usual = 1000 if n else step
            time = max(0, time + usual)
    unit = 1 if form.name.endswith("ns") else 1000
    times = [packet.time // unit * unit for packet in found]
    data, out = bytearray(form.file(found)), []
    for place, fraction in wild.items() if not form.slack else ():
        if place < len(found):
            struct.pack_into(form.order + "I", data, form.start(found[:place]) + 4, fraction)
            times[place] = times[place] // SECOND * SECOND + fraction * unit
            out += [place] if fraction * unit >= SECOND else []
    check(tmp_path_factory.getbasetemp() / "times.pcap", bytes(data), times, out)


def check(path, data, times, out):
    path.write_bytes(data)
    steadily(path)
    clock, expected = observe(path, shipped()).clock, slowly(times, out)
    assert {name: getattr(clock, name) for name in expected if name != "furthest_back"} == {
        name: number for name, number in expected.items() if name != "furthest_back"
    }
    assert clock.furthest / SECOND == expected["furthest_back"]
    back = [n for n in range(1, len(times)) if times[n] < times[n - 1]]
    early = [n for n, time in enumerate(times) if time < YEAR_2000]
    wrong = sorted({*back, *out, *early})[:5]
    shown = mistimed(path)
    assert [one.frame - 1 for one in shown] == wrong
    assert [one.time for one in shown] == [times[n] for n in wrong]
    assert [one.back for one in shown] == [max(0, times[n - 1] - times[n]) if n else 0 for n in wrong]


WORDS = st.lists(st.integers(0, 6), max_size=40)


@given(values=WORDS, others=WORDS, places=st.lists(st.integers(0, 40), min_size=40, max_size=40))
def test_values_among_others(values, others, places):
    values = sorted(values)
    before = sorted(min(place, len(values)) for place in places[: len(others)])
    merged = list(values)
    for index, (place, other) in enumerate(zip(before, others, strict=True)):
        merged.insert(place + index, other)
    arrays = (np.array(values, np.uint32), np.array(others, np.uint32), np.array(before, np.int64))
    assert captured_times.among(*arrays) == (merged == sorted(merged))
