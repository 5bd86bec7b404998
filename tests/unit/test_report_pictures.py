from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import report_bundles

from pytest_ixy.bundle import BuildStep, CaptureRecord, Exit, NicRecord, NodeRecord
from pytest_ixy.dialect import Number, shipped
from pytest_ixy.report import roles, sequence, svg, timeline, topology, traffic

HOSTILE = '<script>alert(1)</script>]]>\x1b[31m\x00"&'


def parsed(picture: str) -> ET.Element:
    """Parse it, and hold it to what every picture promises."""
    root = ET.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "rect", "line", "path", "circle", "text", "title"}
    assert not [key for element in root.iter() for key in element.attrib if key in {"id", "href", "onload"}]
    assert "nan" not in picture
    return root


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def marks(root: ET.Element, start: str = "") -> list[str]:
    return [e.text for e in root.iter("{http://www.w3.org/2000/svg}title") if e.text and start in e.text]


def strokes(picture: str) -> list[tuple[float, ...]]:
    """Place in time and both ends in sequence numbers of each stroke that stands for packets."""
    path = max((e.get("d", "") for e in parsed(picture).iter("{http://www.w3.org/2000/svg}path")), key=len)
    found = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", path)
    return [tuple(map(float, stroke)) for stroke in found]


def rings(picture: str) -> list[float]:
    """Place in time of each gap's mark."""
    found = parsed(picture).findall("{http://www.w3.org/2000/svg}circle[{http://www.w3.org/2000/svg}title]")
    return [float(ring.attrib["cx"]) for ring in found]


def colours(root: ET.Element) -> set[str | None]:
    return {element.get("fill") for element in root.iter("{http://www.w3.org/2000/svg}path")}


Plot: TypeAlias = Callable[..., str]


@pytest.fixture
def plot(tmp_path: Path) -> Plot:
    """Draws the packets of a capture that has these numbers."""

    def draw(numbers: Any, asked: int, step: Any = 1e-5) -> str:
        return sequence.draw(report_bundles.traffic(tmp_path / "capture", numbers, step, asked))

    return draw


def test_topology_shows_nodes_in_the_order_of_the_packets() -> None:
    root = parsed(topology.draw(report_bundles.manifest(100_000)))
    shown = words(root)
    assert [name for name in shown if name in {"pktgen", "fwd", "pcap"}] == ["pktgen", "fwd", "pcap"]
    assert {"pktgen-fwd", "fwd-pcap", "0000:00:07.0", "52:54:00:12:34:03", "100,000"} <= set(shown)
    assert "./build/ixy-fwd $PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST" in marks(root)
    assert svg.RED not in colours(root)


def test_topology_shows_loss_between_two_nics_and_what_was_dropped() -> None:
    pcap, fwd, pktgen = report_bundles.nodes(1000)
    pcap = pcap.model_copy(
        update={"nics": (pcap.nics[0].model_copy(update={"received": 900, "dropped": 77}),)}
    )
    shown = words(parsed(topology.draw(report_bundles.manifest(1000, nodes=(pcap, fwd, pktgen)))))
    assert "100 lost" in shown
    assert "77" in shown


def test_topology_colours_a_role_that_crashed() -> None:
    crash = report_bundles.run(
        "fwd", 0.9, 3, exit=Exit(status=139, signal="SIGSEGV"), ended_itself=True, stopped_by=None
    )
    manifest = report_bundles.manifest()
    root = parsed(topology.draw(manifest.model_copy(update={"roles": {**manifest.roles, "fwd": crash}})))
    assert any("SIGSEGV" in shown for shown in words(root))
    assert svg.RED in colours(root)


@pytest.mark.parametrize(
    "nodes",
    [
        (),
        (NodeRecord(name="lonely", nics=()),),
        (
            NodeRecord(name=HOSTILE, nics=(NicRecord(network=HOSTILE, pci=HOSTILE, mac=HOSTILE),)),
            NodeRecord(name="b", nics=tuple(NicRecord(network=n, pci=n) for n in (HOSTILE, "x", "y"))),
        ),
    ],
    ids=["none", "one", "hostile"],
)
def test_topology_of_anything(nodes: tuple[NodeRecord, ...]) -> None:
    parsed(topology.draw(report_bundles.manifest(nodes=nodes, roles={}, builds={})))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({}, "good", "INT"),
        ({"stopped_by": "KILL"}, "bad", "kill"),
        ({"ended_itself": True, "stopped_by": None, "exit": Exit(status=3)}, "bad", "3"),
        ({"exit": Exit(status=127, missing=True)}, "bad", "127"),
    ],
)
def test_state_of_a_role(changes: dict[str, Any], kind: str, said: str) -> None:
    manifest = report_bundles.manifest(roles={"fwd": report_bundles.run("fwd", 0, 1, **changes)})
    how = roles.state(manifest, "fwd")
    assert how.kind == kind
    assert said in how.words


def test_state_of_a_role_that_did_not_build_or_run_or_finish() -> None:
    broken = BuildStep(command="make", exit=Exit(status=2), seconds=1)
    manifest = report_bundles.manifest()
    builds = {"fwd": manifest.builds["fwd"].model_copy(update={"steps": (broken,)})}
    assert "make: exit 2" in roles.state(manifest.model_copy(update={"builds": builds}), "fwd").words
    assert roles.state(manifest.model_copy(update={"roles": {}}), "pcap").kind == "unknown"
    late = CaptureRecord(file=None, timed_out=True, deadline=15)
    assert roles.state(manifest.model_copy(update={"capture": late}), "pcap").words == "not done after 15 s"


def test_timeline_has_a_bar_for_each_phase_and_role_with_its_seconds() -> None:
    root = parsed(timeline.draw(report_bundles.manifest()))
    shown = words(root)
    assert {"clone", "boot", "build", "capture", "pcap", "fwd", "pktgen"} <= set(shown)
    assert {"24.5 s", "34 s", "5.5 s"} <= set(shown)
    assert marks(root, "boot") == ["boot: 24.5 s"]
    assert any(mark.endswith("ready: after 2.0 s") for mark in marks(root, "pcap: "))


def test_timeline_of_a_role_that_never_ended_and_of_nothing() -> None:
    stuck = report_bundles.run("fwd", 1, None, exit=Exit(status=None), ready=HOSTILE)
    manifest = report_bundles.manifest(phases=(), roles={"fwd": stuck})
    parsed(timeline.draw(manifest))
    assert roles.state(manifest, "fwd").kind == "bad"
    assert timeline.draw(report_bundles.manifest(phases=(), roles={})) == ""


def test_sequence_marks_every_gap_and_duplicate(plot: Plot) -> None:
    numbers = [n for n in range(1000) if n not in {10, 500, 501}]
    numbers.insert(700, 300)
    root = parsed(plot(numbers, 1000))
    assert sorted(marks(root, "missing")) == ["1 missing: #10", "2 missing: #500 to #501"]
    assert marks(root, "came before") == ["#300 came before"]
    assert {"2 gaps, 3 missing", "1 duplicates", "998 packets"} <= set(words(root))
    assert "time since the first packet" in words(root)


def test_sequence_marks_the_largest_gaps_when_there_are_too_many(plot: Plot) -> None:
    numbers = np.delete(np.arange(20_000), np.append(np.arange(1, 18_000, 3), [19_000, 19_001, 19_002]))
    root = parsed(plot(numbers, 20_000))
    assert len(marks(root, "missing")) == traffic.MOST
    assert "3 missing: #19,000 to #19,002" in marks(root)
    assert any("400 largest marked" in shown for shown in words(root))


def test_a_gap_is_marked_where_it_opened_even_when_a_late_packet_splits_it(plot: Plot) -> None:
    numbers = [*range(100), *range(200, 900), 150]
    places = rings(plot(numbers, 900))
    assert places == [pytest.approx(places[0], abs=2)] * 2


def test_sequence_shows_single_packets_however_many_there_are(plot: Plot) -> None:
    many = np.arange(200_000)
    picture = plot(np.random.default_rng(1).permutation(many), 200_000)
    parsed(picture)
    assert len(picture) < 600_000
    assert len(plot(many, 200_000)) < 60_000
    early = plot(np.insert(many, 100_000, 150_000), 200_000)
    assert len(strokes(early)) == len(strokes(plot(many, 200_000))) + 1


def test_a_damaged_number_does_not_hide_the_others(plot: Plot) -> None:
    root = parsed(plot([*range(1000), 0xDEADBEEF], 1000))
    assert "1 above the axis, highest #3,735,928,559" in words(root)
    assert "1,000" in words(root)


def test_the_axis_starts_where_numbers_do(tmp_path: Path) -> None:
    first = 2_000_000_000
    dialect = shipped().model_copy(update={"number": Number(at=56, first=first)})
    bundle = report_bundles.make(tmp_path, range(first, first + 100), dialect=dialect)
    picture = sequence.draw(traffic.measure(bundle))
    assert "2,000,000,020" in words(parsed(picture))
    low, high = sequence.HEIGHT - sequence.BOTTOM, sequence.TOP + sequence.PLOT_HEIGHT * 0.03
    assert (strokes(picture)[0][1], strokes(picture)[-1][1]) == pytest.approx((low, high), abs=3)


def test_a_gap_right_after_a_pause_is_marked_at_its_end(plot: Plot) -> None:
    numbers = [*range(50_010), *range(50_020, 100_000)]
    step = np.full(len(numbers), 1e-6)
    step[50_000] = 0.3
    (ring,) = rings(plot(numbers, 100_000, step))
    assert ring == pytest.approx(sequence.LEFT + sequence.PLOT_WIDTH * 0.35 / 0.4, abs=2)


def test_duplicates_are_marked_when_they_came_and_evenly_chosen_when_there_are_too_many(plot: Plot) -> None:
    root = parsed(plot([*range(10_000), *range(10_000)], 10_000))
    crosses = root.findall("{http://www.w3.org/2000/svg}path[{http://www.w3.org/2000/svg}title]")
    places = [float(re.findall(r"[\d.]+", cross.attrib["d"])[0]) + 4 for cross in crosses]
    assert len(places) == traffic.MOST
    middle, end = sequence.LEFT + sequence.PLOT_WIDTH / 2, sequence.LEFT + sequence.PLOT_WIDTH
    assert places == pytest.approx(np.linspace(middle, end, traffic.MOST), abs=0.2)
    assert "10,000 duplicates (400 evenly chosen marked)" in words(root)


def test_duplicates_beyond_all_counts_are_counted_though_not_marked(plot: Plot) -> None:
    root = parsed(plot([0, 0, 0xDEADBEEF, 0xDEADBEEF], 4))
    assert marks(root, "came before") == ["#0 came before"]
    assert "2 duplicates (1 evenly chosen marked)" in words(root)


@pytest.mark.parametrize("numbers", [[0], [5, 5, 5], [0xFFFFFFFF], [1 << 30, 1]])
@pytest.mark.parametrize("step", [0, 1e-9, -1.0, 1e6])
def test_sequence_of_odd_captures(plot: Plot, numbers: list[int], step: float) -> None:
    parsed(plot(numbers, 1, step))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 102_999), (-3, 7.2), (0, 1e-7), (5, 5), (0, 4e9)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-9 <= value <= high * (1 + 1e-9) for value in found)
