"""When something began to change, in made series with noise."""

from __future__ import annotations

import math
import random

import pytest

from pytest_ixy.change import BINS, binned, growth, step


def noisy(values, spread, seed=1):
    chance = random.Random(seed)
    return [(float(at), value + chance.gauss(0, spread)) for at, value in enumerate(values)]


def wild(points, share=0.05, seed=2):
    """Some points are far off, as when the machine had other work."""
    chance = random.Random(seed)
    return [(at, value * (0.1 if chance.random() < share else 1)) for at, value in points]


@pytest.mark.parametrize("seed", range(20))
def test_an_even_series_does_not_halve_or_double(seed):
    change = step(wild(noisy([25_000] * 300, 4000, seed), seed=seed))
    assert change is None or 0.7 < change.after / change.before < 1.4


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("after", "at"), [(10_000, 200), (0, 150), (12_000, 60)])
def test_a_fall_is_found_with_its_moment(seed, after, at):
    change = step(wild(noisy([25_000] * at + [after] * (300 - at), 3000, seed), seed=seed))
    assert change is not None
    assert change.seconds == pytest.approx(at, abs=6)
    assert change.after == pytest.approx(after, abs=1500)
    assert change.before == pytest.approx(25_000, abs=2500)


def test_a_dip_that_ends_is_no_change():
    change = step(noisy([25_000] * 150 + [0] * 20 + [25_000] * 130, 100))
    assert change is None or change.after > 0.9 * change.before


def test_the_end_alone_is_a_change_only_where_that_is_asked_for():
    points = noisy([25_000] * 110 + [0] * 6, 100)
    assert step(points, least=0.0).seconds == 110
    change = step(points)
    assert change is None or change.after > 0.9 * change.before


@pytest.mark.parametrize("count", range(8))
def test_few_points_tell_nothing(count):
    points = [(float(at), float(at)) for at in range(count)]
    assert step(points) is None
    assert growth(points) is None


def test_equal_points_do_not_change():
    assert step([(float(at), 5.0) for at in range(100)]) is None
    assert growth([(float(at), 5.0) for at in range(100)]) is None
    assert growth([(1.0, float(value)) for value in range(100)]) is None  # all at one moment


@pytest.mark.parametrize("seed", range(20))
def test_growth_is_found_with_its_amount(seed):
    found = growth(noisy([10_000 + 10 * at for at in range(300)], 100, seed))
    assert found is not None
    assert found.amount == pytest.approx(3000, rel=0.05)
    assert found.before == pytest.approx(10_000, abs=250)


@pytest.mark.parametrize("seed", range(20))
def test_growth_that_begins_late_is_dated(seed):
    found = growth(noisy([10_000] * 60 + [10_000 + 50 * at for at in range(240)], 30, seed))
    assert found is not None
    assert 50 <= found.seconds <= 90


@pytest.mark.parametrize(
    "values",
    [
        [10_000] * 300,
        [10_000] * 150 + [14_000] * 150,  # allocated once
        [10_000 + 3000 * (at % 50) / 50 for at in range(300)],  # a collector at work
        [10_000 + 2000 * math.sin(at / 30) for at in range(300)],
        [14_000 - 10 * at for at in range(300)],
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_only_moves_does_not_grow(values, seed):
    found = growth(noisy(values, 50, seed))
    assert found is None or found.amount < 300


def test_bins_keep_the_mean_and_the_moments():
    points = [(float(at), float(at)) for at in range(1000)]
    found = binned(points)
    assert len(found) <= BINS
    assert found[0] == (0.0, 4.0)
    assert sum(value for _, value in found[:-1]) / len(found[:-1]) == pytest.approx(
        sum(range(9 * len(found[:-1]))) / (9 * len(found[:-1]))
    )
    assert binned([]) == []
