from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_bundles
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.bare import bare
from pytest_ixy.dialect import Number, shipped
from pytest_ixy.report import gaps, raster, sequence
from pytest_ixy.report.raster import Raster
from pytest_ixy.report.traffic import Traffic, measure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


def traffic(folder: Path, *numbers: int, step: Any = 0.001) -> Traffic:
    return report_bundles.traffic(folder / "capture", numbers, step)


def test_gaps_duplicates_loss_and_rate(folder: Path) -> None:
    seen = traffic(folder, 2, 3, 7, 3, 8, 2)
    assert (seen.packets, seen.unique, seen.highest) == (6, 4, 8)
    assert seen.gaps.largest.tolist() == [[4, 6], [0, 1]]
    assert (seen.gaps.count, seen.gaps.missing) == (2, 5)
    assert [(one.number, one.time) for one in seen.repeats] == [(3, 0.003), (2, 0.005)]
    assert seen.loss == pytest.approx(5 / 9)
    assert seen.rate == pytest.approx(1000)


def test_no_packet(folder: Path) -> None:
    seen = traffic(folder)
    assert (seen.packets, seen.highest, seen.loss, seen.rate, seen.gaps.missing) == (0, None, None, None, 0)


def test_packets_of_one_moment_have_no_rate(folder: Path) -> None:
    assert traffic(folder, 0, 1, step=0).rate is None


def test_the_rate_is_that_of_packets_and_not_of_frames_around_them(folder: Path) -> None:
    numbers = np.arange(1000)
    report_bundles.write(folder / "capture", numbers, np.where(np.isin(numbers, [1, 999]), 3600, 0.001))
    data = bytearray((folder / "capture").read_bytes())
    for record in (24, len(data) - 76):
        data[record + 16 + 23] = 6  # not UDP
    (folder / "capture").write_bytes(data)
    seen = measure(bare(folder / "capture"))
    assert seen.rate == pytest.approx(1000)
    assert len(set(seen.raster.runs(1)[0])) > 400


def test_damaged_numbers_make_no_gap_of_billions(folder: Path) -> None:
    seen = traffic(folder, 0, 1, 0xDEADBEEF)
    assert (seen.gaps.count, seen.gaps.largest.tolist(), seen.beyond) == (0, [], 1)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_against_the_plain_definition(folder: Path, numbers: list[int]) -> None:
    seen = traffic(folder, *numbers)
    missing = [n for first, last in seen.gaps.largest.tolist() for n in range(first, last + 1)]
    assert sorted(missing) == sorted(set(range(max(numbers))) - set(numbers))
    assert len(missing) == seen.gaps.missing
    again = [(n, i / 1000) for i, n in enumerate(numbers) if n in numbers[:i]]
    assert [(one.number, pytest.approx(one.time)) for one in seen.repeats] == again


def test_gaps_that_reach_over_pieces_of_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "PIECE", 2)
    marks = gaps.Marks(0, 100)
    marks.add(np.array([3, 60, 63, 64, 99], dtype=np.uint32))
    found = marks.gaps(3)
    assert (found.count, found.missing) == (4, 95)
    assert found.largest.tolist() == [[4, 59], [65, 98], [0, 2]]


def packets() -> st.SearchStrategy[list[tuple[int, float]]]:
    """Number and time of each; times that are close, far, and far back."""
    times = st.one_of(st.integers(0, 50).map(lambda t: t / 1e6), st.floats(-9e9, 9e9), st.floats(0, 1))
    return st.lists(st.tuples(st.integers(0, 1500), times), min_size=1, max_size=30)


@settings(deadline=None)
@given(st.lists(packets(), min_size=1, max_size=5))
def test_the_raster_holds_every_packet_and_nothing_else(batches: list[list[tuple[int, float]]]) -> None:
    grid = Raster(0, 1000)
    for batch in batches:
        number, time = zip(*batch, strict=True)
        grid.add(np.array(time), np.array(number, dtype=np.uint32))
    marked = {(column + grid._first, row) for column, row in np.argwhere(grid._cells).tolist()}
    every = [packet for batch in batches for packet in batch]
    expected = {
        (int(np.floor(time / grid._width)), raster.ABOVE if number > 1000 else number * 512 // 1001)
        for number, time in every
    }
    assert marked == expected
    assert (
        grid._width == raster.SHORTEST or 2 * np.ptp([column for column, _ in marked]) >= raster.COLUMNS - 2
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0, 1e-6, 1e-3, 0.5])), min_size=1, max_size=200)
)
def test_the_raster_tells_when_a_number_of_an_orderly_capture_came(steps: list[tuple[int, float]]) -> None:
    number, time = (np.cumsum(column) for column in zip(*steps, strict=True))
    grid = Raster(0, float(number[-1]))
    for part in np.array_split(np.arange(number.size), 3):
        grid.add(time[part].astype(np.float64), number[part].astype(np.uint32))
    assert grid.time(grid.came(number)) == pytest.approx(time, abs=grid._width)


def test_a_number_is_not_said_to_have_come_with_a_damaged_one() -> None:
    grid, number = Raster(0, 2000), np.arange(1000)
    grid.add(number / 1e3, np.where(number == 300, 1900, number).astype(np.uint32))
    assert grid.time(grid.came(np.array([299, 700, 999]))) == pytest.approx([0.299, 0.7, 0.999], abs=1e-3)


def test_measure_reads_the_capture_of_a_bundle(tmp_path: Path) -> None:
    seen = measure(report_bundles.make(tmp_path, [0, 1, 1, 5]))
    assert (seen.packets, seen.asked, seen.highest, seen.repeated) == (4, 4, 5, 1)
    assert seen.seconds == pytest.approx(0.003, abs=1e-6)


@pytest.mark.parametrize("first", [1, 2_000_000_000])
def test_numbers_that_do_not_start_at_0(tmp_path: Path, first: int) -> None:
    dialect = shipped().model_copy(update={"number": Number(at=56, first=first)})
    numbers = [0, first, first + 1, first + 3, first + 3]
    seen = measure(report_bundles.make(tmp_path, numbers, dialect=dialect))
    assert (seen.gaps.count, seen.gaps.largest.tolist()) == (1, [[first + 2, first + 2]])
    assert [one.number for one in seen.repeats] == [first + 3]
    assert measure(report_bundles.make(tmp_path, numbers[1:], dialect=dialect)).loss == pytest.approx(1 / 4)


def numbered(count: int) -> Iterator[np.ndarray[Any, Any]]:
    yield np.arange(count)
    lossy = np.delete(np.arange(count), np.s_[1::7])
    yield np.append(lossy, lossy[: count // 10])
    yield np.random.default_rng(1).permutation(count)


def peak(path: Path) -> int:
    """Bytes at most that measuring and drawing takes."""
    tracemalloc.start()
    try:
        sequence.draw(measure(bare(path)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", range(3), ids=["good", "lossy", "shuffled"])
def test_memory_does_not_grow_with_the_number_of_packets(folder: Path, kind: int) -> None:
    peaks = []
    for count in (1000, 100_000, 1_000_000):  # the first one loads modules
        report_bundles.write(folder / "many", list(numbered(count))[kind], 1e-6)
        peaks.append(peak(folder / "many"))
    assert peaks[2] < 1.1 * peaks[1]
