"""The picture of the testbed: which machine ran what, how they were joined, what each NIC counted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from pytest_ixy.bundle import Manifest, NicRecord, NodeRecord
from pytest_ixy.report import svg
from pytest_ixy.report.roles import State, in_flow_order, state
from pytest_ixy.report.text import line, number

NIC_WIDTH, NIC_HEIGHT, NODE_HEIGHT, GAP, TOP, INSET = 142, 92, 208, 132, 8, 10
NIC_TOP = TOP + NODE_HEIGHT - NIC_HEIGHT - INSET
WIRE = NIC_TOP + NIC_HEIGHT / 2
COLOUR = {"good": svg.GREEN, "bad": svg.RED, "unknown": svg.MUTED}


@dataclass(frozen=True)
class Placed:
    """A node, its NICs in the order in which they stand, and where its box begins."""

    node: NodeRecord
    nics: tuple[NicRecord, ...]
    faces_right: bool
    x: float

    @property
    def width(self) -> float:
        """Width of the node's box."""
        return max(252, INSET + len(self.nics) * (NIC_WIDTH + INSET))

    def nic_x(self, index: int) -> float:
        """Where the box of a NIC begins: one that is alone stands at the side it is plugged in."""
        if index == len(self.nics) - 1 and (index or self.faces_right):
            return self.x + self.width - NIC_WIDTH - INSET
        return self.x + INSET + index * (NIC_WIDTH + INSET)


def draw(manifest: Manifest) -> str:
    """The picture as SVG."""
    nodes = {node.name: node for node in manifest.nodes}
    placed = _place([nodes[name] for name in in_flow_order(list(nodes))])
    wires = [_wire(left, right) for left, right in pairwise(placed)]
    boxes = [_node(place, manifest) for place in placed]
    width = placed[-1].x + placed[-1].width + 1 if placed else GAP
    return svg.picture(width, TOP + NODE_HEIGHT + 6, "topology of the testbed", *boxes, *wires)


def _place(nodes: list[NodeRecord]) -> list[Placed]:
    placed: list[Placed] = []
    x = 1.0
    for index, node in enumerate(nodes):
        before = _networks(nodes[index - 1]) if index else set()
        after = _networks(nodes[index + 1]) if index + 1 < len(nodes) else set()
        nics = sorted(node.nics, key=lambda nic: (nic.network in after) - (nic.network in before))
        faces_right = bool(nics) and nics[-1].network in after
        placed.append(Placed(node, tuple(nics), faces_right, x))
        x += placed[-1].width + GAP
    return placed


def _networks(node: NodeRecord) -> set[str]:
    return {nic.network for nic in node.nics}


def _wire(left: Placed, right: Placed) -> str:
    """The network that joins two neighbours, with the direction in which packets pass."""
    shared = [
        (source, target)
        for source, nic in enumerate(left.nics)
        for target, other in enumerate(right.nics)
        if nic.network == other.network
    ]
    if not shared:
        return ""
    source, target = shared[0]
    start, end = left.nic_x(source) + NIC_WIDTH, right.nic_x(target)
    middle = (left.x + left.width + right.x) / 2
    name = line(left.nics[source].network, 20)
    return (
        svg.line((start, WIRE), (end - 8, WIRE), stroke=svg.BLUE, stroke_width=2)
        + svg.tag("path", d=f"M{end:g} {WIRE:g}l-11 -6v12z", fill=svg.BLUE)
        + svg.text(middle, WIRE - 10, name, text_anchor="middle", font_weight="bold", fill=svg.BLUE)
        + _flow(middle, left.nics[source], right.nics[target])
    )


def _flow(x: float, source: NicRecord, target: NicRecord) -> str:
    if source.sent is None or target.received is None:
        return ""
    lost = source.sent - target.received
    first = svg.text(x, WIRE + 20, f"{number(source.sent)} sent", text_anchor="middle", fill=svg.MUTED)
    if lost <= 0:
        return first
    return first + svg.text(
        x, WIRE + 36, f"{number(lost)} lost", text_anchor="middle", fill=svg.RED, font_weight="bold"
    )


def _node(place: Placed, manifest: Manifest) -> str:
    name = place.node.name
    how = state(manifest, name)
    run = manifest.roles.get(name)
    nics = [_nic(place.nic_x(index), nic) for index, nic in enumerate(place.nics)]
    colour = COLOUR[how.kind]
    frame = svg.box(
        (place.x, TOP), (place.width, NODE_HEIGHT), rx=6, fill=svg.PANEL, stroke=colour, stroke_width=1.5
    )
    bar = svg.tag(
        "path", d=f"M{place.x:g} {TOP + 6}a6 6 0 0 1 6 -6h{place.width - 12:g}a6 6 0 0 1 6 6z", fill=colour
    )
    return svg.tag("g", frame, bar, _heading(place, how), _command(place, run.command if run else ""), *nics)


def _heading(place: Placed, how: State) -> str:
    name = svg.text(place.x + INSET, TOP + 28, line(place.node.name, 20), font_size=15, font_weight="bold")
    address = svg.text(
        place.x + place.width - INSET, TOP + 28, line(place.node.address, 24),
        text_anchor="end", fill=svg.MUTED, font_size=11,
    )  # fmt: skip
    return name + address + _wrapped(place, TOP + 45, how.words, 6.1, font_size=11, fill=COLOUR[how.kind])


def _command(place: Placed, command: str) -> str:
    return _wrapped(place, TOP + 78, command, 6.65, font_size=11, font_family=svg.MONO)


def _wrapped(place: Placed, y: float, words: str, advance: float, **style: svg.Attribute) -> str:
    """Words on two lines of the node's box, whole in their tooltip; `advance` is a letter's width."""
    length = int((place.width - 2 * INSET) / advance)
    ellipsis = " \N{HORIZONTAL ELLIPSIS}"
    lines = wrap(line(words, 2000), length, max_lines=2, break_on_hyphens=False, placeholder=ellipsis)
    rows = [svg.text(place.x + INSET, y + 14 * row, shown, **style) for row, shown in enumerate(lines)]
    return svg.tag("g", svg.tooltip(line(words, 2000)), *rows) if rows else ""


def _nic(x: float, nic: NicRecord) -> str:
    frame = svg.box((x, NIC_TOP), (NIC_WIDTH, NIC_HEIGHT), rx=4, stroke=svg.LINE)
    mono: dict[str, svg.Attribute] = {"font_family": svg.MONO, "font_size": 11}
    words = svg.text(x + 8, NIC_TOP + 16, line(nic.pci, 18), font_weight="bold", **mono)
    words += svg.text(x + 8, NIC_TOP + 31, line(nic.mac or "MAC unknown", 18), **{**mono, "fill": svg.MUTED})
    counters = (("sent", nic.sent), ("received", nic.received), ("dropped", nic.dropped))
    rows = [_counter(x, NIC_TOP + 49 + 16 * row, *counter) for row, counter in enumerate(counters)]
    return svg.tag("g", frame, words, *rows)


def _counter(x: float, y: float, name: str, count: int | None) -> str:
    bad = name == "dropped" and bool(count)
    shown = "\N{EN DASH}" if count is None else number(count)
    return svg.text(x + 8, y, name, font_size=11, fill=svg.MUTED) + svg.text(
        x + NIC_WIDTH - 8, y, shown, font_size=11, text_anchor="end",
        fill=svg.RED if bad else svg.INK, font_weight="bold" if bad else None,
    )  # fmt: skip
