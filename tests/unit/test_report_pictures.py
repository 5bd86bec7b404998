from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
import report_bundles

from pytest_ixy.bundle import BuildStep, CaptureRecord, Exit, NicRecord, NodeRecord
from pytest_ixy.report import roles, sequence, svg, timeline, topology
from pytest_ixy.report.traffic import Traffic

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


def colours(root: ET.Element) -> set[str | None]:
    return {element.get("fill") for element in root.iter("{http://www.w3.org/2000/svg}path")}


def seen(numbers: Any, step: float = 1e-5) -> Traffic:
    values = np.asarray(numbers, dtype=np.uint32)
    return Traffic(values, 1_700_000_000 + np.arange(values.size) * step)


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


def test_sequence_marks_every_gap_and_duplicate() -> None:
    numbers = [n for n in range(1000) if n not in {10, 500, 501}]
    numbers.insert(700, 300)
    root = parsed(sequence.draw(seen(numbers), 1000))
    assert sorted(marks(root, "missing")) == ["1 missing: #10", "2 missing: #500 to #501"]
    assert marks(root, "came before") == ["#300 came before"]
    assert {"2 gaps, 3 missing", "1 duplicates", "998 packets"} <= set(words(root))
    assert "time since the first packet" in words(root)


def test_sequence_marks_the_largest_gaps_when_there_are_too_many() -> None:
    numbers = np.delete(np.arange(20_000), np.append(np.arange(1, 18_000, 3), [19_000, 19_001, 19_002]))
    root = parsed(sequence.draw(seen(numbers), 20_000))
    assert len(marks(root, "missing")) == sequence.MARKS
    assert "3 missing: #19,000 to #19,002" in marks(root)
    assert any("400 largest marked" in shown for shown in words(root))


def test_a_gap_is_marked_where_it_opened_even_when_a_late_packet_splits_it() -> None:
    numbers = [*range(100), *range(200, 900), 150]
    root = parsed(sequence.draw(seen(numbers), 900))
    rings = root.findall("{http://www.w3.org/2000/svg}circle[{http://www.w3.org/2000/svg}title]")
    places = [float(ring.attrib["cx"]) for ring in rings]
    assert places == [pytest.approx(places[0], abs=2)] * 2


def test_sequence_shows_single_packets_however_many_there_are() -> None:
    many = np.arange(200_000)
    late = np.insert(many[:100_000], 90_000, 5_000_000 // 100)
    assert late.size == 100_001
    picture = sequence.draw(seen(np.random.default_rng(1).permutation(many)), 200_000)
    parsed(picture)
    assert len(picture) < 600_000
    assert len(sequence.draw(seen(many), 200_000)) < 60_000


def test_a_damaged_number_does_not_hide_the_others() -> None:
    root = parsed(sequence.draw(seen([*range(1000), 0xDEADBEEF]), 1000))
    assert "1 above the axis, highest #3,735,928,559" in words(root)
    assert "1,000" in words(root)


@pytest.mark.parametrize("numbers", [[0], [5, 5, 5], [0xFFFFFFFF], [1 << 30, 1]])
@pytest.mark.parametrize("step", [0, 1e-9, -1.0, 1e6])
def test_sequence_of_odd_captures(numbers: list[int], step: float) -> None:
    parsed(sequence.draw(seen(numbers, step), 1))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 102_999), (-3, 7.2), (0, 1e-7), (5, 5), (0, 4e9)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-9 <= value <= high * (1 + 1e-9) for value in found)
