"""order: RFC 4737's reordering and extent, RFC 5236's density, and what patterns tell."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from bundles import make_bundle
from captures import arp_frame, ixy_frame
from glimpses import glimpsed
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.bundle import Bundle, ProviderRecord
from pytest_ixy.capture import window
from pytest_ixy.rules import Evidence, judge, pick
from pytest_ixy.rules.kernel import reordering as kernel
from pytest_ixy.rules.kernel.bits import Bits
from pytest_ixy.rules.kernel.falls import Falls, consecutive
from pytest_ixy.rules.kernel.numbered import Numbered
from pytest_ixy.rules.kernel.reordering import FAR, reordering
from pytest_ixy.rules.kernel.seen import within


def ask(tmp_path, numbers, **overrides):
    overrides.setdefault("packets", max(1, len(numbers)))
    return judge(make_bundle(tmp_path, [ixy_frame(number) for number in numbers], **overrides), ["order"])[0]


# the slow and obvious way


def obvious(numbers, bound):
    """Extents of the late packets in their order, displacements of all; every pair is looked at."""
    kept = [number for number in numbers if number <= bound]
    arrived = list(dict.fromkeys(kept))
    extents, displaced = [], []
    for place, number in enumerate(arrived):
        higher = [earlier for earlier in range(place) if arrived[earlier] > number]
        extents += [place - higher[0]] if higher else []
        displaced.append(place - sum(other < number for other in arrived))
    return len(numbers) - len(kept), extents, displaced


def measure(numbers, size, bound):
    repeated = len(numbers) - np.unique(numbers).size
    return reordering(glimpsed(numbers, size), seen_of(numbers), bound, repeated=repeated)


def seen_of(numbers):
    """Which of them came, as `Evidence.seen` tells."""

    def between(low, high):
        column = np.asarray(numbers)
        kept = column[(column >= low) & (column <= high)].astype(np.uint32)
        return within([Numbered(kept, np.arange(kept.size), np.zeros(kept.size))], low, high)

    return between


def check(numbers, size, bound=2**32):
    bound = min(bound, max(numbers))
    left_out, extents, displaced = obvious(numbers, bound)
    found = measure(numbers, size, bound)
    assert (found.packets, found.left_out, found.reordered) == (len(displaced), left_out, len(extents))
    assert (found.extents, found.max_extent) == (sum(extents), max(extents, default=0))
    assert [late.extent for late in found.first] == extents[: kernel.FEW]
    cut = Counter(min(max(one, -FAR - 1), FAR + 1) for one in displaced)
    assert found.density.tolist() == [cut[one] for one in range(-FAR - 1, FAR + 2)]


NEAR = st.lists(st.integers(0, 60), min_size=1, max_size=80)
SPREAD = st.lists(st.integers(0, 3000), min_size=1, max_size=60)
PERMUTED = st.integers(1, 200).flatmap(lambda count: st.permutations(range(count)))
SHUFFLED = st.builds(
    lambda count, keys: sorted(range(count), key=lambda number: number + keys[number % len(keys)]),
    st.integers(1, 300),
    st.lists(st.integers(0, 40), min_size=1, max_size=37),
)


@settings(max_examples=400, deadline=None)
@given(numbers=st.one_of(NEAR, SPREAD, PERMUTED, SHUFFLED), size=st.integers(1, 70), share=st.floats(0.2, 1))
def test_agrees_with_looking_at_every_pair(numbers, size, share):
    check(numbers, size)
    check([*numbers, min(numbers)], size, int(max(numbers) * share) + min(numbers))


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=5), min_size=1))
def test_the_deepest_fall(parts):
    falls, numbers = Falls(), [number for part in parts for number in part]
    for part in parts:
        column = np.array(part, np.uint32)
        falls.add(column, consecutive=consecutive(column))
    assert falls.deepest == max([0, *(before - after for before, after in pairwise(numbers))])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], False),
        ([7], True),
        ([7, 8, 9], True),
        ([7, 9, 9], False),
        ([7, 9, 8, 10], False),
        ([2**32 - 1, 0], False),
    ],
)
def test_consecutive(numbers, expected):
    assert consecutive(np.array(numbers, np.uint32)) is expected


@settings(max_examples=300, deadline=None)
@given(numbers=st.sets(st.integers(0, 1000), min_size=1), data=st.data())
def test_bits_count_and_count_off(numbers, data):
    ordered = sorted(numbers)
    words, grown = np.zeros(16, np.uint64), Bits(1001)
    for number in ordered:
        words[number >> 6] |= np.uint64(1 << (number & 63))
    at_once, added = Bits.of(words), Bits(1001)
    added.add(np.array(data.draw(st.permutations(ordered))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ordered)), max_size=5)))
    for part in np.split(np.array(ordered), cuts):
        grown.append(part)
    places = np.arange(ordered[-1] + 1)
    for bits in (at_once, grown):
        assert len(bits) == len(ordered)
        assert bits.has(places).tolist() == [place in numbers for place in places]
        assert bits.below(places).tolist() == np.searchsorted(ordered, places).tolist()
        assert bits.nth(np.arange(len(ordered))).tolist() == ordered
    assert added.has(places).tolist() == at_once.has(places).tolist()


# examples of the RFCs


@pytest.mark.parametrize(
    ("arrived", "extents"),
    [
        ([1, 2, 3, 5, 6, 7, 8, 4, 9, 10], {4: 4}),
        ([1, 2, 3, 4, 7, 5, 6, 8, 9, 10], {5: 1, 6: 2}),
        ([1, 2, 3, 7, 8, 9, 10, 4, 5, 6, 11], {4: 4, 5: 5, 6: 6}),
    ],
)
def test_extents_as_in_rfc_4737_section_7(tmp_path, arrived, extents):
    numbers = ask(tmp_path, arrived).numbers
    assert (numbers["reordered"], numbers["packets"]) == (len(extents), len(arrived))
    assert numbers["max_extent"] == max(extents.values())
    assert numbers["mean_extent"] == sum(extents.values()) / len(extents)
    assert [late.extent for late in measure(arrived, 4, 11).first] == list(extents.values())


@pytest.mark.parametrize(
    ("arrived", "displaced"),
    [
        ([1, 4, 2, 5, 3, 6, 7, 8], [0, -2, 1, -1, 2, 0, 0, 0]),
        ([1, 4, 3, 5, 3, 8, 7, 6], [0, -1, 1, 0, -2, 0, 2]),  # 2 is lost, the second 3 is left out
        ([1, 6, 7, 2, 3, 4, 5, 8], [0, -4, -4, 2, 2, 2, 2, 0]),
    ],
)
def test_displacements_as_in_rfc_5236(arrived, displaced):
    density = measure(arrived, 3, 8).density
    expected = Counter(displaced)
    assert density.tolist() == [expected[one] for one in range(-FAR - 1, FAR + 2)]


# the finding


def test_in_order(tmp_path):
    finding = ask(tmp_path, [0, 1, 5, 6, 6, 9])
    assert (finding.outcome, finding.title) == ("passed", "5 packets in ascending order")
    assert set(finding.numbers) == set(ask(tmp_path / "late", [1, 0]).numbers)
    assert finding.numbers["packets"] == 5


def test_a_late_packet_is_told_with_frame_time_number_and_extent(tmp_path):
    frames = [arp_frame(), *map(ixy_frame, [0, 1, 3, 4, 2, 5])]
    finding = judge(make_bundle(tmp_path, frames, packets=6), ["order"])[0]
    assert finding.title == "1 of 6 packets out of order, by up to 2 places"
    assert "  frame 6, 0.000005 s, #2: 2 places behind the first with a higher number" in finding.message
    assert "    -1            2  33.33% ##########################" in finding.message
    assert "    +2            1  16.67% #############" in finding.message
    assert dict(finding.numbers) == {
        "reordered": 1, "ratio": 1 / 6, "max_extent": 2, "mean_extent": 2.0, "packets": 6, "left_out": 0,
        "density_early": 2 / 6, "density_late": 1 / 6, "density_beyond": 0.0,
    }  # fmt: skip


def test_repeated_packets_are_not_late(tmp_path):
    finding = ask(tmp_path, [0, 1, 2, 0, 1, 3])
    assert (finding.outcome, finding.numbers["packets"]) == ("passed", 4)


def test_far_ones_are_counted_together(tmp_path):
    finding = ask(tmp_path, [*range(50, 100), *range(50)])
    assert finding.numbers["density_beyond"] == 1.0
    assert (finding.numbers["density_early"], finding.numbers["density_late"]) == (0.5, 0.5)
    assert "< -8           50  50.00%" in finding.message


def test_one_damaged_number_does_not_make_the_others_late(tmp_path):
    finding = ask(tmp_path, [0, 1, 2**31, *range(3, 100)])
    assert (finding.outcome, finding.numbers["left_out"]) == ("passed", 1)
    finding = ask(tmp_path / "late", [0, 1, 2**31, 4, 3, *range(5, 100)])
    assert finding.numbers["reordered"] == 1
    assert "1 packet left out: numbers above sequence-bounds' upper bound" in finding.message


def test_nothing_but_damaged_numbers(tmp_path):
    finding = ask(tmp_path, [2**31, 2**30], packets=2)
    assert finding.title == "not judged: no packet has a number up to 4"


def test_where_nobody_said_how_many_the_packets_found_count(tmp_path):
    bundle = make_bundle(tmp_path, map(ixy_frame, [1, 0, 9, 8]))
    manifest = bundle.manifest.model_copy(update={"packets": None})
    finding = judge(Bundle(bundle.path, manifest), ["order"])[0]
    assert (finding.numbers["packets"], finding.numbers["left_out"]) == (3, 1)  # up to 8


@pytest.mark.parametrize(
    ("terms", "outcome"),
    [
        ({}, "failed"),
        ({"max_ratio": 0.1}, "failed"),
        ({"max_ratio": 0.25}, "passed"),
        ({"max_extent": 1}, "failed"),
        ({"max_extent": 2}, "passed"),
        ({"severity": "report"}, "reported"),
    ],
)
def test_both_bounds_have_to_be_exceeded(tmp_path, terms, outcome):
    finding = ask(tmp_path, [0, 2, 3, 1], rules={"order": terms})
    assert finding.outcome == outcome
    assert finding.numbers["reordered"] == 1
    assert "frame 4" in finding.message


def test_it_fails_on_qemu_only(tmp_path):
    assert ask(tmp_path, [1, 0]).outcome == "failed"
    other = ProviderRecord(name="metal")
    assert ask(tmp_path / "other", [1, 0], provider=other).outcome == "reported"


# patterns


HUNDREDS = np.arange(1600)


@pytest.mark.parametrize(
    ("numbers", "cause"),
    [
        (HUNDREDS ^ 1, "neighbours are swapped: 800 pairs"),
        (HUNDREDS ^ 31, "50 batches of 32 packets in reverse order"),
        (HUNDREDS[::-1], "a batch of 1,600 packets in reverse order"),
        ([0, 1, 3, 2, 4, 5], "neighbours are swapped: 1 pair"),
        (
            np.delete(HUNDREDS ^ 31, HUNDREDS % 17 == 4),
            "runs of up to 31 packets in reverse",
        ),
        ([4, 3, 2, 1, 0, 7, 6, 5, 9, 8, 12, 11, 10], "runs of up to 5 packets in reverse order"),
        (HUNDREDS ^ 32, "packets come 32 places late"),
        (np.roll(HUNDREDS.reshape(-1, 16), -1, axis=1).ravel(), "packets come 15 places late"),
        (np.roll(HUNDREDS, 20), "20 packets in front are not of this numbering: see the rule `fresh`"),
        (
            np.stack((HUNDREDS[:800].reshape(-1, 8), HUNDREDS[800:].reshape(-1, 8)), axis=1).ravel(),
            "late packets are in order among themselves: two queues",
        ),
    ],
)
def test_what_patterns_tell(tmp_path, numbers, cause):
    message = ask(tmp_path, list(map(int, numbers))).message
    assert f"cause? {cause}" in message
    assert message.count("cause?") == 1


def test_no_pattern_no_guess(tmp_path):
    random = np.random.default_rng(1)
    assert "cause?" not in ask(tmp_path, random.permutation(500).tolist()).message
    few_far = np.arange(1000)
    few_far[[100, 500, 130, 530]] = few_far[[130, 530, 100, 500]]
    assert "cause?" not in ask(tmp_path / "far", few_far.tolist()).message


# large ones


def test_over_the_borders_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(window, "SIZE", 1 << 19)
    numbers = (np.arange(40_000) ^ 511).tolist()
    finding = ask(tmp_path, numbers)
    assert finding.numbers["reordered"] == 40_000 - 79  # the last batch has 64 packets
    assert finding.numbers["max_extent"] == 511
    assert "78 batches of 512 packets in reverse order" in finding.message


COUNT = 300_000


def adversaries():
    random = np.random.default_rng(7)
    places = np.arange(COUNT)
    few = places.copy()
    early = random.choice(COUNT - 50, COUNT // 100, replace=False)
    few[early], few[early + 30] = few[early + 30], few[early].copy()
    return {
        "reversed": places[::-1],
        "swapped": places ^ 1,
        "few": few,
        "shuffled": random.permutation(COUNT),
        "repeated": random.integers(0, COUNT, COUNT),
        "lost": np.sort(random.choice(2 * COUNT, COUNT, replace=False)).reshape(-1, 2)[:, ::-1].ravel(),
        "any": random.integers(0, 2**32, COUNT),
        "equal": np.full(COUNT, 7),
        "sawtooth": places % 5000,
    }


@pytest.mark.parametrize("name", adversaries())
def test_large_ones_exactly_in_bounded_memory(name):
    numbers = adversaries()[name].astype(np.uint32)
    bound = min(2 * COUNT, int(numbers.max()))
    repeated = COUNT - np.unique(numbers).size
    known = seen_of(numbers)(0, bound)
    tracemalloc.start()
    found = reordering(glimpsed(numbers, 10_000), lambda low, high: known, bound, repeated=repeated)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20  # a column of numbers and places alone would take as much
    _, first = np.unique(kept := numbers[numbers <= bound], return_index=True)
    arrived = kept[np.sort(first)].astype(np.int64)
    highest = np.maximum.accumulate(arrived)
    late = np.flatnonzero(arrived < highest)
    extents = late - np.searchsorted(highest, arrived[late], side="right")
    moved = np.arange(arrived.size) - arrived.argsort().argsort()
    assert (found.packets, found.reordered, found.extents) == (arrived.size, late.size, extents.sum())
    assert found.max_extent == extents.max(initial=0)
    assert found.density.tolist() == np.bincount(moved.clip(-9, 9) + 9, minlength=19).tolist()
    assert found.left_out == (numbers > bound).sum()


def test_the_bound_of_memory():
    columns = [part for part in vars(Bits(kernel.MOST)).values() if isinstance(part, np.ndarray)]
    assert 5 * sum(column.nbytes for column in columns) < 38 << 20


def test_beyond_it_there_are_lower_bounds_which_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "MOST", 50)
    finding = ask(tmp_path, [*range(90), 5, 92, 91, 93])
    assert finding.title == "at least 1 of 93 packets out of order, by up to at least 1 place"
    assert "lower bounds" in finding.message
    assert finding.numbers["reordered"] == 1
    assert "density_late" not in finding.numbers
    assert "frame 93, 0.000092 s, #91: at least 1 place behind" in finding.message
    assert ask(tmp_path / "again", [*range(60), 3, 61]).outcome == "passed"


@settings(max_examples=200, deadline=None)
@given(numbers=st.one_of(NEAR, PERMUTED), size=st.integers(1, 70))
def test_lower_bounds_are_none_too_high(numbers, size):
    _, extents, displaced = obvious(numbers, max(numbers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "MOST", 0)
        found = measure(numbers, size, max(numbers))
    assert found.packets == len(displaced)
    assert found.reordered <= len(extents)
    assert found.extents <= sum(extents)
    if len(set(numbers)) == len(numbers):
        assert found.reordered == len(extents)


def test_nothing_is_read_again_where_nothing_fell(tmp_path):
    evidence = Evidence(make_bundle(tmp_path, map(ixy_frame, range(20_000)), packets=20_000))
    assert evidence.observed.deepest_fall == 0
    evidence.bundle.capture.unlink()
    assert [rule.judge(evidence).outcome for rule in pick(["order", "fresh"])] == ["passed", "passed"]
