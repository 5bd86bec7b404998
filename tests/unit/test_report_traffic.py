from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import report_bundles
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.report.traffic import Traffic, measure


def traffic(*numbers: int, step: float = 0.001) -> Traffic:
    time = 1_700_000_000 + np.arange(len(numbers)) * step
    return Traffic(np.array(numbers, dtype=np.uint32), time)


def test_gaps_duplicates_loss_and_rate() -> None:
    seen = traffic(2, 3, 7, 3, 8, 2)
    assert (seen.packets, seen.unique, seen.highest) == (6, 4, 8)
    assert seen.gaps.tolist() == [[0, 1], [4, 6]]
    assert seen.missing == 5
    assert seen.repeats.tolist() == [3, 5]
    assert seen.loss == pytest.approx(5 / 9)
    assert seen.rate == pytest.approx(1000, rel=1e-3)


def test_no_packet() -> None:
    seen = traffic()
    assert (seen.packets, seen.highest, seen.loss, seen.rate, seen.missing) == (0, None, None, None, 0)


def test_packets_of_one_moment_have_no_rate() -> None:
    assert traffic(0, 1, step=0).rate is None


def test_damaged_numbers_make_no_gap_of_billions() -> None:
    assert traffic(0, 1, 0xDEADBEEF).gaps.tolist() == []


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_against_the_plain_definition(numbers: list[int]) -> None:
    seen = traffic(*numbers)
    missing = [n for first, last in seen.gaps.tolist() for n in range(first, last + 1)]
    assert missing == sorted(set(range(max(numbers))) - set(numbers))
    assert seen.repeats.tolist() == [i for i, n in enumerate(numbers) if n in numbers[:i]]


def test_measure_reads_the_capture_of_a_bundle(tmp_path: Path) -> None:
    seen = measure(report_bundles.make(tmp_path, [0, 1, 1, 5]))
    assert seen.sequence.tolist() == [0, 1, 1, 5]
    assert seen.seconds == pytest.approx(0.003, abs=1e-6)
