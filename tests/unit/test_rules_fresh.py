"""fresh: packets of an earlier trial in front, and what only looks like it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from bundles import make_bundle
from captures import arp_frame, ixy_frame
from glimpses import glimpsed
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.bundle import Bundle
from pytest_ixy.capture import window as reader
from pytest_ixy.rules import judge
from pytest_ixy.rules.kernel import restarts as kernel
from pytest_ixy.rules.kernel.restarts import Restarts


def restarts(glimpses, window):
    watcher = Restarts(window)
    for glimpse in glimpses:
        watcher.add(glimpse)
    return watcher.found()


def ask(tmp_path, numbers, **overrides):
    overrides.setdefault("packets", 100)
    return judge(make_bundle(tmp_path, [ixy_frame(number) for number in numbers], **overrides), ["fresh"])[0]


def obvious(numbers, window):
    """Places (from 0) of the packets where numbering begins anew, from the definition."""
    pending = []
    for place in range(1, len(numbers)):
        before, after = numbers[place - 1], numbers[place]
        if abs(after - before) > window:
            back = [
                index
                for index, earlier in enumerate(pending)
                if abs(after - numbers[earlier - 1]) <= window
                and (numbers[earlier] > numbers[earlier - 1]) != (after > before)
            ]
            pending = pending[: back[-1]] if back else [*pending, place]
    falls = [place for place in pending if numbers[place] < numbers[place - 1]]
    return [place for place in falls if len(numbers) - place >= min(window, place)]


RUNS = st.lists(
    st.builds(lambda low, length: list(range(low, low + length)), st.integers(0, 99), st.integers(1, 20)),
    min_size=1,
    max_size=12,
).map(lambda runs: [number for run in runs for number in run])


@settings(max_examples=500, deadline=None)
@given(
    numbers=RUNS | st.lists(st.integers(0, 60), min_size=1),
    window=st.integers(1, 30),
    size=st.integers(1, 50),
)
def test_agrees_with_the_definition(numbers, window, size):
    found = restarts(glimpsed(numbers, size), window)
    places = obvious(numbers, window)
    assert [jump.ahead for jump in found] == places
    assert [(jump.before.frame, jump.after.frame) for jump in found] == [(at, at + 1) for at in places]
    ends = [(jump.before.number, jump.after.number) for jump in found]
    assert ends == [(numbers[at - 1], numbers[at]) for at in places]
    assert [jump.after.seconds for jump in found] == [at / 1e6 for at in places]


def test_stale_packets_in_front(tmp_path):
    frames = [*map(ixy_frame, range(95, 100)), arp_frame(), *map(ixy_frame, range(95))]
    finding = judge(make_bundle(tmp_path, frames), ["fresh"])[0]
    assert finding.outcome == "failed"
    assert finding.title == "numbering begins anew 1 time, behind 5 of 100 packets"
    assert dict(finding.numbers) == {"restarts": 1, "stale": 5, "packets": 100}
    assert finding.message.splitlines() == [
        "  frame 5, 0.000004 s, #99",
        "  frame 7, 0.000006 s, #0: anew, behind 5 packets",
        "cause? frames of an earlier trial were left in rings or queues, and came out first",
    ]


def test_a_generator_that_was_started_twice(tmp_path):
    finding = ask(tmp_path, [*range(40), *range(60)])
    assert finding.numbers["stale"] == 40
    assert "cause? pktgen counted from the start more than once" in finding.message


def test_numbers_with_swapped_bytes_are_not_blamed_on_an_earlier_trial(tmp_path):
    numbers = [int.from_bytes(number.to_bytes(4, "little"), "big") for number in range(600)]
    finding = ask(tmp_path, numbers, packets=600)
    assert finding.outcome == "failed"
    assert "cause? numbers that nobody sent: see the rule `sequence-bounds`" in finding.message


def test_many_restarts(tmp_path):
    finding = ask(tmp_path, [*range(10)] * 10, rules={"fresh": {"window": 5}})
    assert finding.title == "numbering begins anew 9 times, behind 90 of 100 packets"
    assert finding.message.count("anew, behind") == 5
    assert "  … 4 more" in finding.message


GOOD = list(range(100))


@pytest.mark.parametrize(
    "numbers",
    [
        GOOD,
        GOOD[::-1],  # falls, but never far
        [*GOOD[:50], 150, *GOOD[51:]],  # a number damaged
        [*GOOD[:50], 150, 190, 120, *GOOD[53:]],  # a few
        [*GOOD[:50], 3, *GOOD[50:]],  # one repeated, or late
        [*GOOD[:99], 5],  # at the end: nothing begins there
        [n for at in range(50) for n in (at, at + 50)],  # two queues
        [*(n for at in range(0, 50, 5) for n in (*range(at, at + 5), *range(at + 50, at + 55)))],
        [*(n for at in range(40) for n in (at + 60, at)), *range(40, 60)],  # the second one is slower
        [0, 90],
        [7] * 100,
        [2**32 - 1 - n for n in range(20)],
    ],
)
def test_what_is_no_restart(tmp_path, numbers):
    finding = ask(tmp_path, numbers)
    assert (finding.outcome, finding.numbers["restarts"], finding.numbers["stale"]) == ("passed", 0, 0)


def test_the_window_is_a_quarter_of_n_at_most(tmp_path):
    assert ask(tmp_path / "a", [*range(25, 100), *range(75)]).outcome == "failed"
    late = [*range(75, 100), *range(75, 100)]
    assert ask(tmp_path / "b", late).outcome == "passed"
    assert ask(tmp_path / "c", late, packets=50).outcome == "failed"
    assert ask(tmp_path / "d", [3, 1, 2, 3], packets=1).outcome == "failed"


def test_the_window_can_be_set(tmp_path):
    numbers = [*range(50, 70), *range(30)]
    assert ask(tmp_path / "a", numbers, packets=1000).outcome == "passed"
    assert ask(tmp_path / "b", numbers, packets=1000, rules={"fresh": {"window": 20}}).outcome == "failed"


def test_where_nobody_said_how_many_the_packets_found_count(tmp_path):
    bundle = make_bundle(tmp_path, map(ixy_frame, [*range(90, 98), *range(32)]))
    manifest = bundle.manifest.model_copy(update={"packets": None})
    finding = judge(Bundle(bundle.path, manifest), ["fresh"])[0]
    assert dict(finding.numbers) == {"restarts": 1, "stale": 8, "packets": 40}


def test_over_the_borders_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "SIZE", 1 << 19)
    stale = list(range(80_000, 80_300))
    finding = ask(tmp_path, [*stale, *range(30_000)], packets=30_000)
    assert dict(finding.numbers) == {"restarts": 1, "stale": 300, "packets": 30_300}
    assert "frame 301, 0.000300 s, #0: anew" in finding.message


def test_numbers_that_jump_about(tmp_path):
    random = np.random.default_rng(1)
    finding = ask(tmp_path, random.integers(0, 2**32, 5000).tolist())
    assert finding.title == "not judged: sequence numbers jump about too often to tell"


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(2).integers(0, 2**32, 400_000),
        np.random.default_rng(3).permutation(400_000),
        np.tile([0, 200_000], 200_000),  # each one comes back from the one before
        np.arange(400_000)[::-1] * 10_000,
    ],
    ids=["any", "shuffled", "to and fro", "falls"],
)
def test_too_many_jumps_are_given_up_in_bounded_memory(numbers):
    column = numbers.astype(np.uint32)
    tracemalloc.start()
    found = restarts(glimpsed(column, 10_000), 4096)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is None
    assert peak < 4 << 20


def test_open_jumps_are_bounded(monkeypatch):
    numbers = [*range(0, 500, 5)]
    monkeypatch.setattr(kernel, "DEEPEST", 99)
    assert restarts(glimpsed(numbers, 7), 4) == []
    monkeypatch.setattr(kernel, "DEEPEST", 98)
    assert restarts(glimpsed(numbers, 7), 4) is None
