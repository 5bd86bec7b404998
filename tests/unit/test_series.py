"""Numbers over time: thinned while they are sampled, written into a bundle, read again with suspicion."""

from __future__ import annotations

import threading
import time

import pytest
from bundles import make_bundle

from pytest_ixy import series
from pytest_ixy.bundle import NicRecord, load
from pytest_ixy.errors import LabError
from pytest_ixy.sampler import Sampler, Thinned, named
from pytest_ixy.series import EMPTY, Series


def stored(tmp_path, text):
    """A bundle with that text as its counters."""
    made = make_bundle(tmp_path, series={"counters": "counters.json"})
    (made.path / "counters.json").write_text(text)
    return load(made.path)


def test_what_is_written_is_read(tmp_path):
    made = make_bundle(tmp_path)
    written = Series(names=("a", "b"), rows=((0.1, 1, None), (0.2, 2, 5)), marks={"waited": 0.2})
    files = series.write(made.path, "counters", written)
    assert files == {"counters": "counters.json"}
    found = series.read(make_bundle(tmp_path / "other", series=files), "counters")
    assert found == EMPTY  # it names a file that is not there
    (tmp_path / "third").mkdir()
    found = series.read(stored(tmp_path / "third", (made.path / "counters.json").read_text()), "counters")
    assert found == written
    assert found.column("b") == [(0.2, 5)]
    assert found.column("c") == []


def test_nothing_is_written_where_nothing_was_sampled(tmp_path):
    assert series.write(tmp_path, "counters", EMPTY) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"names": ["a"], "rows": [[1]]}',
        '{"names": ["a"], "rows": [[null, 1]]}',
        '{"names": ["a"], "rows": [[2, 1], [1, 1]]}',
        '{"names": ["a"], "rows": [[1, "x"]]}',
        '{"names": ["a"], "rows": [[1, 1e999]]}',
        '{"names": ["a"], "rows": [[1, 1e300]]}',
        '{"names": ["a"], "rows": [[-1e300, 1]]}',
        '{"names": [], "rows": [], "more": 1}',
        '{"names": [], "rows": [' + ",".join(["[1]"] * 10_001) + "]}",
        " " * (8 << 20) + "{}",
    ],
)
def test_a_file_without_sense_is_none(tmp_path, text):
    assert series.read(stored(tmp_path, text), "counters") == EMPTY


def test_a_file_outside_of_the_bundle_is_none(tmp_path):
    (tmp_path / "counters.json").write_text('{"names": ["a"], "rows": [[1, 1]]}')
    made = make_bundle(tmp_path, series={"counters": "../counters.json"})
    assert series.read(made, "counters") == EMPTY


def test_of_a_long_trial_every_second_sample_goes_and_marked_ones_stay():
    rows = Thinned(period=0.5, most=10)
    now = 0.0
    while now < 100:
        rows.add(now, {"n": now})
        now += rows.period
    rows.add(33.3, {"n": 5}, keep=True)
    made = rows.series({"waited": 33.3})
    assert 5 <= len(made.rows) <= 11
    assert (33.3, 5) in made.rows
    assert made.rows[0] == (0, 0)
    assert made.rows[-1][0] > 100 - 2 * rows.period
    assert rows.period == 0.5 * 2**5
    assert [row[0] for row in made.rows] == sorted(row[0] for row in made.rows)


def test_a_name_that_comes_late_is_unknown_before():
    rows = Thinned()
    rows.add(1, {"a": 1})
    rows.add(2, {"a": 2, "b": 3})
    assert rows.series({}).rows == ((1, 1, None), (2, 2, 3))


def test_a_sampler_asks_on_its_own_and_when_told():
    asked, enough = [], threading.Event()

    def ask():
        asked.append(time.monotonic())
        if len(asked) == 3:
            enough.set()
        return {"n": len(asked)}

    with Sampler(ask, time.monotonic()) as sampler:
        assert enough.wait(20)
        sampler.take("waited")
    found = sampler.series
    assert len(found.rows) == len(asked) >= 4
    assert any(row[0] == found.marks["waited"] for row in found.rows)


def test_a_sampler_that_gets_no_answer_ends_in_silence():
    failed = threading.Event()

    def ask():
        failed.set()
        raise LabError("gone")

    with Sampler(ask, time.monotonic()) as sampler:
        assert failed.wait(20)
    assert sampler.series == EMPTY
    with pytest.raises(LabError):
        sampler.take("waited")


def test_counters_are_named_by_node_and_place_without_what_was_there_before():
    nic = NicRecord(network="n", pci="p", sent=3, received=1)
    later = nic.model_copy(update={"sent": 10, "received": 1})
    assert named({"fwd": (later, later)}, {"fwd": (nic, nic)}) == {
        "fwd/0/sent": 7, "fwd/0/received": 0, "fwd/1/sent": 7, "fwd/1/received": 0,
    }  # fmt: skip
    assert named({}, {}) == {}
