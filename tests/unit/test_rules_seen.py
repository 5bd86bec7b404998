"""Repeated sequence numbers, at any distance and whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from captures import ixy_frame, packets, pcap
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.dialect import shipped
from pytest_ixy.rules.kernel import seen
from pytest_ixy.rules.kernel.falls import consecutive
from pytest_ixy.rules.kernel.observed import observe
from pytest_ixy.rules.kernel.seen import Repeat, Seen


def obvious(numbers):
    """Repeated packets in the order of the capture, by a set."""
    known, found = set(), []
    for place, number in enumerate(numbers):
        if number in known:
            found.append(Repeat(number, place + 1))
        known.add(number)
    return found


def fill(one, numbers, size):
    for start in range(0, len(numbers), size):
        batch = np.array(numbers[start : start + size], np.uint32)
        one.add(batch, lambda places, start=start: places + start + 1, consecutive=consecutive(batch))


def check(numbers, size):
    one = Seen()
    fill(one, numbers, size)
    while one.left_out:
        one.turn()
        fill(one, numbers, size)
    expected = obvious(numbers)
    assert (one.repeated, list(one.first)) == (len(expected), expected[: seen.FEW])
    assert one.highest == max(numbers)


NEAR = st.integers(0, 40)
BORDERS = st.sampled_from([(1 << 15) - 1, 1 << 15, (1 << 18) - 1, 1 << 18, 1 << 31, (1 << 32) - 1])
RUN = st.builds(lambda low, length: list(range(low, low + length)), st.integers(0, 60), st.integers(1, 30))


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(RUN | st.lists(NEAR | BORDERS, min_size=1), min_size=1), size=st.integers(1, 40))
def test_agrees_with_a_set(parts, size):
    check([number for part in parts for number in part], size)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_numbers_all_over_the_place_take_turns(monkeypatch, most):
    monkeypatch.setattr(seen, "MOST", most)
    random = np.random.default_rng(most)
    pages = random.integers(0, 1 << 17, 20) << 15
    numbers = (random.choice(pages, 400) + random.integers(0, 20, 400)).tolist()
    check(numbers, 50)
    check([*range(65_500, 65_600), *numbers, *range(65_590, 65_610)], 64)


def test_a_capture_whose_numbers_need_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(seen, "MOST", 2)
    numbers = [1, 1 << 20, 1 << 25, 1, 1 << 30, 1 << 25, 1 << 20]
    (tmp_path / "c.pcap").write_bytes(pcap(packets(map(ixy_frame, numbers))))
    found = observe(tmp_path / "c.pcap", shipped())
    assert found.repeated == 3
    assert found.repeats == (Repeat(1, 4), Repeat(1 << 25, 6), Repeat(1 << 20, 7))
