"""Which packets are missing: the rule, and the scan of the bitmap that it stands on."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from bundles import make_bundle, make_manifest
from captures import arp_frame, ixy_frame
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_ixy.bundle import Bundle
from pytest_ixy.dialect import shipped
from pytest_ixy.rules import Evidence, check_terms, judge
from pytest_ixy.rules.kernel import seen, stretches
from pytest_ixy.rules.kernel.bursts import NEAR, WIDE, Bursts
from pytest_ixy.rules.kernel.seen import Seen


def ask(tmp_path, numbers, **overrides):
    return judge(make_bundle(tmp_path, map(ixy_frame, numbers), **overrides), ["loss"])[0]


def marked(numbers, size=1000):
    one = Seen()
    for start in range(0, len(numbers), size):
        one.add(np.array(numbers[start : start + size], np.uint32), lambda places: places)
    return one


def obvious(lost):
    """What `Bursts` tells of some numbers, by plain Python."""
    lost = sorted(lost)
    runs: list[list[int]] = []
    for number in lost:
        if runs and runs[-1][1] == number:
            runs[-1][1] += 1
        else:
            runs.append([number, number + 1])
    lengths = Counter(after - start for start, after in runs)
    starts = [start for start, _ in runs]
    distances = Counter(later - start for start, later in pairwise(starts))
    return {
        "total": len(lost),
        "count": len(runs),
        "near": sum(later - one <= NEAR for one, later in pairwise(lost)),
        "longest": tuple(sorted(map(tuple, runs), key=lambda run: run[0] - run[1])[:5]),
        "lengths": usual(lengths)[:5],
        "distance": next(iter(usual(distances)), (0, 0)),
        "classes": tuple(
            (k, *usual(Counter(start % k for start in starts))[0]) for k in (2**n for n in range(1, 13))
        )
        if runs
        else (),
    }


def usual(values):
    return tuple(
        sorted(
            ((one, times) for one, times in values.items() if one < WIDE), key=lambda one: (-one[1], one[0])
        )
    )


# the scan

BORDERS = st.sampled_from([0, 63, 64, (1 << 15) - 1, 1 << 15, 1 << 16, (1 << 17) - 1, 1 << 17])
RUN = st.builds(
    lambda base, off, length: range(max(base + off, 0), max(base + off, 0) + length),
    BORDERS,
    st.integers(-70, 70),
    st.integers(1, 130),
)


@settings(max_examples=200, deadline=None)
@example(parts=[range(9), range(1 << 17, (1 << 17) + 3)], low=5, size=9, pages=2)
@example(parts=[range(32_760, 1 << 15), range(1 << 17, (1 << 17) + 3)], low=0, size=8, pages=2)
@given(
    parts=st.lists(RUN, min_size=1, max_size=8),
    low=BORDERS | st.integers(0, 200),
    size=st.integers(1, 99),
    pages=st.sampled_from([1, 2, 16]),
)
def test_missing_numbers_agree_with_a_set(parts, low, size, pages):
    numbers = [number for part in parts for number in part]
    one = marked(numbers, size)
    high = max(numbers) + 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "AT_ONCE", pages)
        found = one.missing(low, high) if low <= high else Bursts()
    assert vars(found) == obvious(set(range(low, high + 1)) - set(numbers))


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(RUN, min_size=1, max_size=8), size=st.integers(1, 99))
def test_repeated_numbers_agree_with_a_count(parts, size):
    numbers = [number for part in parts for number in part]
    again = {number for number, times in Counter(numbers).items() if times > 1}
    one = marked(numbers, size)
    assert (one.replicated, vars(one.again())) == (len(again), obvious(again))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32), share=st.floats(0, 1), low=st.integers(0, 9), count=st.integers(1, 600_000)
)
def test_random_loss_of_many_agrees_with_numpy(seed, share, low, count):
    came = np.random.default_rng(seed).random(count) >= share
    came[-1] = True
    numbers = np.flatnonzero(came).astype(np.uint32)
    lost = np.diff(np.flatnonzero(came[low:]), prepend=-1) - 1 if low < count else np.empty(0, int)
    found = marked(numbers, 100_000).missing(low, count - 1) if low < count else Bursts()
    assert (found.total, found.count) == (lost.sum(), np.count_nonzero(lost))
    assert [after - start for start, after in found.longest] == sorted(lost[lost > 0].tolist())[::-1][:5]


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(BORDERS | st.integers(0, 2**32 - 1), min_size=1), low=BORDERS, high=BORDERS)
def test_the_highest_within_bounds_agrees_with_a_maximum(numbers, low, high):
    low, high = sorted((low, high))
    inside = [number for number in numbers if low <= number <= high]
    assert marked(numbers).top(low, high) == max(inside, default=None)


def test_the_last_number_of_all():
    one = marked([0, 2**32 - 1])
    assert one.missing(0, 2**32 - 1).longest == ((1, 2**32 - 1),)
    assert one.missing(5, 2**32 - 2).total == 2**32 - 6
    assert one.top(0, 2**32 - 1) == 2**32 - 1


@pytest.mark.parametrize(
    ("numbers", "bursts"),
    [
        (np.arange(0, 4_000_000, 2), 1_999_999),
        (np.arange(4_000_000), 0),
        (np.arange(0, 2**32, 2**32 // seen.MOST), seen.MOST - 1),
        (np.arange(0, 2**28, 2**28 // seen.MOST) + np.arange(seen.MOST) % 7, seen.MOST - 1),
    ],
    ids=["every second", "none", "all over", "one in a page"],
)
def test_memory_is_bounded_whatever_is_missing(numbers, bursts):
    one = marked(numbers, 100_000)
    tracemalloc.start()
    found = one.missing(0, one.highest)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.count == bursts
    assert peak < 32 << 20


# the rule


def test_an_example_by_hand(tmp_path):
    pattern = "rrrxrrxxxrxrrxxxr"  # the one of RFC 3357, 4: four loss periods; and one that ends it
    finding = ask(tmp_path, [number for number, letter in enumerate(pattern) if letter == "r"])
    assert finding.outcome == "passed"
    assert finding.title == "8 of 17 numbers (47.06%) are missing, in 4 bursts, the longest of 3"
    assert finding.numbers == {
        "lost": 8, "ratio": 8 / 17, "bursts": 4, "longest": 3, "mean_burst": 2.0, "noticeable": 7 / 8,
    }  # fmt: skip
    assert finding.message.splitlines() == [
        "missing in a row: how often",
        "          1: 2",
        "          3: 2",
        "longest:",
        "  #6 to #8 (3): #5 is frame 5 at 0.000004 s, #9 is frame 6 at 0.000005 s",
        "  #13 to #15 (3): #12 is frame 8 at 0.000007 s, #16 is frame 9 at 0.000008 s",
        "  #3: #2 is frame 3 at 0.000002 s, #4 is frame 4 at 0.000003 s",
        "  #10: #9 is frame 6 at 0.000005 s, #11 is frame 7 at 0.000006 s",
    ]


def test_nothing_missing(tmp_path):
    finding = ask(tmp_path, [2, 0, 1, 1, 3])
    assert (finding.outcome, finding.message) == ("passed", "")
    assert finding.title == "no number between 0 and 3 is missing"
    assert finding.numbers == {
        "lost": 0, "ratio": 0.0, "bursts": 0, "longest": 0, "mean_burst": 0.0, "noticeable": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(("second", "share"), [(20, 1 / 2), (21, 0.0)])
def test_a_loss_is_noticeable_up_to_sixteen_behind_another(tmp_path, second, share):
    finding = ask(tmp_path, [number for number in range(40) if number not in {4, second}])
    assert finding.numbers["noticeable"] == share


def test_the_first_ones_are_missed_too_and_frames_are_found_in_any_order(tmp_path):
    frames = [arp_frame(), *map(ixy_frame, [9, 3, 7, 4, 4, 8, 5])]
    finding = judge(make_bundle(tmp_path, frames), ["loss"])[0]
    assert finding.message.splitlines()[-2:] == [
        "  #0 to #2 (3): #3 is frame 3 at 0.000002 s",
        "  #6: #5 is frame 8 at 0.000007 s, #7 is frame 4 at 0.000003 s",
    ]


def test_one_missing_packet(tmp_path):
    assert ask(tmp_path, [0, 2]).title == "1 of 3 numbers (33.33%) is missing, in 1 burst, the longest of 1"


def test_numbers_out_of_bounds_are_left_out(tmp_path):
    assert ask(tmp_path, [0, 1, 200, 201, 2**32 - 1]).numbers["lost"] == 198
    finding = ask(tmp_path / "b", [201, 4_000])
    assert finding.title == "not judged: no packet has a number between 0 and 200"


def test_where_n_is_not_known_it_is_the_number_of_packets(tmp_path):
    bundle = make_bundle(tmp_path, map(ixy_frame, [0, 6, 7]))
    manifest = bundle.manifest.model_copy(update={"packets": None})
    assert judge(Bundle(bundle.path, manifest), ["loss"])[0].title.startswith("5 of 7 numbers ")


def test_numbers_that_start_at_one(tmp_path):
    dialect = shipped()
    assert dialect.number
    number = dialect.number.model_copy(update={"first": 1})
    later = dialect.model_copy(update={"number": number})
    assert ask(tmp_path, [0, 2, 4], dialect=later).numbers["lost"] == 2
    assert ask(tmp_path / "b", [1, 3, 201, 202], dialect=later).numbers["ratio"] == 198 / 201


def test_only_what_was_readable_is_judged(tmp_path):
    bundle = make_bundle(tmp_path, map(ixy_frame, [0, 2, 3]))
    bundle.capture.write_bytes(bundle.capture.read_bytes()[:-1])
    finding = judge(bundle, ["loss"])[0]
    assert finding.numbers["lost"] == 1
    assert "only what was readable is judged" in finding.message


# when it is broken


def test_more_than_half_is_reported(tmp_path):
    assert ask(tmp_path, [0, 3]).outcome == "passed"
    finding = ask(tmp_path / "b", [0, 4])
    assert finding.outcome == "reported"
    assert finding.message.splitlines()[0] == "more than 50.00% are missing (max_ratio)"
    assert "seen from the networks:" in finding.message


@pytest.mark.parametrize(
    ("terms", "outcome"),
    [
        ({"severity": "fail"}, "passed"),
        ({"max_ratio": 0.03}, "reported"),
        ({"max_ratio": 0.04}, "passed"),
        ({"max_burst": 3, "severity": "fail"}, "failed"),
        ({"max_burst": 4, "severity": "fail"}, "passed"),
    ],
)
def test_options(tmp_path, terms, outcome):
    check_terms({"loss": terms})
    came = [number for number in range(100) if not 10 <= number < 14]
    assert ask(tmp_path, came, rules={"loss": terms}).outcome == outcome


def test_a_pattern_is_reported(tmp_path):
    finding = ask(tmp_path, [number for number in range(2000) if number % 64 != 63], packets=2000)
    assert finding.outcome == "reported"
    first = finding.message.splitlines()[0]
    assert first == "cause? one packet in 64 is lost, again and again: the border of a batch or ring?"
    assert finding.message.splitlines()[2] == "          1: 31"


# numbers all over 2**32


def scattered():
    return [*range(50), 55, *range(2**20, 2**32, 2**28)]


def test_a_map_is_made_where_damaged_numbers_take_all_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(seen, "MOST", 3)
    for order in (1, -1):
        finding = ask(tmp_path / str(order), scattered()[::order])
        assert (finding.numbers["lost"], finding.numbers["longest"]) == (5, 5)


def test_no_map_is_made_where_the_bounds_are_too_wide(tmp_path, monkeypatch):
    monkeypatch.setattr(seen, "MOST", 3)
    finding = ask(tmp_path, scattered(), packets=2**31)
    assert finding.outcome == "skipped"
    assert finding.title.startswith("not judged: the sequence numbers are spread so far")


def test_few_packets_of_a_trial_that_asked_for_billions(tmp_path):
    bundle = make_bundle(tmp_path, map(ixy_frame, [0, 2**31, 2**32 - 1]))
    manifest = make_manifest().model_copy(update={"packets": 2**32, "rules": {"loss": {"max_ratio": 1.0}}})
    (finding,) = judge(Bundle(bundle.path, manifest), ["loss"])
    assert (finding.numbers["lost"], finding.numbers["bursts"]) == (2**32 - 3, 2)
    assert finding.message.splitlines()[1] == "     others: 2"
    assert Evidence(bundle).observed.seen.highest == 2**32 - 1
