"""The picture of a trial's rate, loss and memory over time, one panel below the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ixy.change import Point, binned
from pytest_ixy.overtime import COUNTS, flows, losses, memory, rates, since
from pytest_ixy.report import svg
from pytest_ixy.report.text import line, number
from pytest_ixy.topology import FWD, PCAP, PKTGEN

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle

WIDTH, LEFT, RIGHT, HEIGHT, HEAD, FOOT = 1010, 74, 190, 130, 26, 36
PLOT = WIDTH - LEFT - RIGHT
COLOURS = (svg.BLUE, svg.AMBER, svg.GREEN, svg.RED)
MOST = 200
"""Points of a line."""
PARTS = 25
"""Into so many parts a short trial is divided; a long one by seconds."""


@dataclass(frozen=True)
class Panel:
    """A title and lines by name; moments are seconds since traffic began."""

    title: str
    lines: dict[str, list[Point]]

    @property
    def points(self) -> list[Point]:
        """Those of all lines."""
        return [point for points in self.lines.values() for point in points]


def draw(bundle: Bundle) -> str:
    """SVG; empty where nothing was counted over time."""
    panels = [panel for panel in _panels(bundle) if len(panel.points) > len(panel.lines)]
    end = max((moment for panel in panels for moment, _ in panel.points), default=0.0)
    if not end:
        return ""
    step = HEAD + HEIGHT + FOOT
    drawn = "".join(_panel(panel, index * step, end) for index, panel in enumerate(panels))
    return svg.picture(WIDTH, step * len(panels), "rate, loss and memory over time", drawn)


def _panels(bundle: Bundle) -> list[Panel]:
    whole = flows(bundle, 0.0)
    seconds = whole[-1].seconds - whole[0].seconds if whole else 0.0
    moments = flows(bundle, min(1.0, seconds / PARTS))
    lost = losses(moments, lambda flow: flow.sent, lambda flow: flow.arrived)
    return [
        Panel("packets/s", _told(bundle, {name: rates(moments, count) for name, count in COUNTS.items()})),
        Panel("% lost between pktgen and pcap", _told(bundle, {"lost": [(at, 100 * x) for at, x in lost]})),
        Panel("memory in MiB, with huge pages", _told(bundle, _memory(bundle))),
    ]


def _memory(bundle: Bundle) -> dict[str, list[Point]]:
    return {
        role: [(moment, kib / 1024) for moment, kib in memory(bundle, role)] for role in (PKTGEN, FWD, PCAP)
    }


def _told(bundle: Bundle, lines: dict[str, list[Point]]) -> dict[str, list[Point]]:
    """With the time since traffic began, and few enough points."""
    return {
        name: [(since(bundle, moment), max(0.0, value)) for moment, value in binned(points, MOST)]
        for name, points in lines.items()
    }


def _panel(panel: Panel, top: float, end: float) -> str:
    most = max((value for _, value in panel.points), default=0.0) or 1.0
    bottom = top + HEAD + HEIGHT
    heading = svg.text(0, top + 14, panel.title, font_weight="bold")
    drawn = [
        _line(points, bottom, end, most, colour)
        for points, colour in zip(panel.lines.values(), COLOURS, strict=False)
    ]
    return heading + _axes(bottom, end, most) + "".join(drawn) + _legend(panel, top + HEAD)


def _axes(bottom: float, end: float, most: float) -> str:
    parts = []
    for value in svg.ticks(0, end, count=8):
        x = LEFT + value / end * PLOT
        parts.append(svg.line((x, bottom - HEIGHT), (x, bottom)))
        parts.append(
            svg.text(x, bottom + 14, f"{value:g} s", text_anchor="middle", font_size=11, fill=svg.MUTED)
        )
    for value in svg.ticks(0, most, count=4):
        y = bottom - value / most * HEIGHT
        parts.append(svg.line((LEFT, y), (LEFT + PLOT, y)))
        parts.append(
            svg.text(LEFT - 6, y + 4, number(value), text_anchor="end", font_size=11, fill=svg.MUTED)
        )
    return "".join(parts)


def _line(points: list[Point], bottom: float, end: float, most: float, colour: str) -> str:
    if not points:
        return ""
    places = [
        f"{svg.coordinate(LEFT + moment / end * PLOT)} {svg.coordinate(bottom - value / most * HEIGHT)}"
        for moment, value in points
    ]
    return svg.tag("path", d=f"M{'L'.join(places)}", fill="none", stroke=colour, stroke_width=1.6)


def _legend(panel: Panel, top: float) -> str:
    shown = [name for name, points in panel.lines.items() if points]
    return "".join(
        svg.text(LEFT + PLOT + 14, top + 12 + 18 * index, line(name, 24), fill=colour)
        for index, (name, colour) in enumerate(zip(panel.lines, COLOURS, strict=False))
        if name in shown
    )
