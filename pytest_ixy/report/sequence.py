"""The plot of sequence number over time: every packet, with what is missing and what came twice.

Packets are drawn as the cells of a grid that they are in, runs of cells joined, so that the picture of
millions of packets is as small as that of thousands, and yet shows every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ixy.report import svg
from pytest_ixy.report.text import number

if TYPE_CHECKING:
    from pytest_ixy.report.traffic import Traffic

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1010, 380, 84, 18, 34, 52
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
RUNS = 15_000
FACTORS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Axes:
    """How time (seconds) and sequence numbers become places in the picture."""

    begin: float
    seconds: float
    bottom: int
    top: float

    def x(self, time: Any) -> Any:
        """Place of a capture time, or of an array of them; those beyond the axis at its ends."""
        import numpy as np

        return LEFT + np.clip(time - self.begin, 0, self.seconds) * (PLOT_WIDTH / self.seconds)

    def y(self, sequence: Any) -> Any:
        """Place of a sequence number, or of an array of them; those beyond the axis at its ends."""
        import numpy as np

        above = np.clip(sequence, self.bottom, self.top) - self.bottom
        return TOP + PLOT_HEIGHT * (1 - above / (self.top - self.bottom))


def draw(traffic: Traffic) -> str:
    """The plot as SVG; there is at least one packet."""
    axes = Axes(traffic.begin, traffic.seconds or 1.0, traffic.first, traffic.raster.top)
    return svg.picture(
        WIDTH, HEIGHT, "sequence number over time",
        _grid(axes, traffic.asked), _points(traffic, axes), _gaps(traffic, axes), _repeats(traffic, axes),
        _outside(traffic, axes), _legend(traffic),
    )  # fmt: skip


def _grid(axes: Axes, packets: int) -> str:
    parts = []
    for value in svg.ticks(axes.bottom, axes.top):
        y = float(axes.y(value))
        parts.append(svg.line((LEFT, y), (WIDTH - RIGHT, y)))
        parts.append(
            svg.text(LEFT - 8, y + 4, number(value), text_anchor="end", font_size=11, fill=svg.MUTED)
        )
    for value, words in _times(axes):
        x = float(axes.x(axes.begin + value))
        parts.append(svg.line((x, TOP), (x, HEIGHT - BOTTOM)))
        parts.append(
            svg.text(x, HEIGHT - BOTTOM + 16, words, text_anchor="middle", font_size=11, fill=svg.MUTED)
        )
    return "".join(parts) + _titles() + _asked(axes, packets)


def _times(axes: Axes) -> list[tuple[float, str]]:
    """Places and words of the time axis, in milliseconds where that is easier to read."""
    factor, unit = (1000, "ms") if axes.seconds < 1 else (1, "s")
    return [(tick / factor, f"{tick:g} {unit}") for tick in svg.ticks(0, axes.seconds * factor, 8)]


def _titles() -> str:
    middle = TOP + PLOT_HEIGHT / 2
    return svg.text(
        LEFT + PLOT_WIDTH / 2, HEIGHT - 14, "time since the first packet", text_anchor="middle"
    ) + svg.text(
        14, middle, "sequence number (packets)", text_anchor="middle", transform=f"rotate(-90 14 {middle:g})"
    )


def _asked(axes: Axes, packets: int) -> str:
    y = float(axes.y(axes.bottom + packets - 1))
    words = f"{number(packets)} packets were asked for"
    return svg.line((LEFT, y), (WIDTH - RIGHT, y), stroke=svg.MUTED, stroke_dasharray="5 4") + svg.text(
        LEFT + 6, y + 14, words, font_size=11, fill=svg.MUTED
    )


def _points(traffic: Traffic, axes: Axes) -> str:
    """All packets on the finest grid on which the picture stays small."""
    for factor in FACTORS:
        times, low, high = traffic.raster.runs(factor)
        if times.size <= RUNS:
            break
    places = zip(*(places.tolist() for places in (axes.x(times), axes.y(low), axes.y(high))), strict=True)
    path = "".join(f"M{x:.1f} {bottom:.1f}V{top:.1f}" for x, bottom, top in places)
    width = max(2.0, 0.6 * factor)
    return svg.tag("path", d=path, stroke=svg.BLUE, stroke_width=width, stroke_linecap="round", fill="none")


def _gaps(traffic: Traffic, axes: Axes) -> str:
    """A mark where each gap opened; the largest gaps when there are too many."""
    import numpy as np

    raster, (first, last) = traffic.raster, traffic.gaps.largest.T
    # A neighbour of the gap may be a packet that came late: the earlier of both is where it opened.
    after = raster.came(last + 1)
    before = np.where(first > traffic.first, raster.came(first - 1), after)
    places = axes.x(raster.time(np.minimum(before, after))).tolist()
    return "".join(_gap(*mark, axes) for mark in zip(places, first.tolist(), last.tolist(), strict=True))


def _gap(x: float, first: int, last: int, axes: Axes) -> str:
    low, high = float(axes.y(first)), float(axes.y(last))
    words = f"{number(last - first + 1)} missing: #{number(first)}"
    words += f" to #{number(last)}" if last > first else ""
    line = svg.line((x, low), (x, high), stroke=svg.AMBER, stroke_width=3) if low - high > 1 else ""
    middle = (low + high) / 2
    ring = svg.tag(
        "circle", svg.tooltip(words), cx=x, cy=middle, r=4, fill=svg.PAPER, stroke=svg.AMBER, stroke_width=2
    )
    return line + ring


def _repeats(traffic: Traffic, axes: Axes) -> str:
    """A cross on each packet that came before; evenly chosen ones when there are too many."""
    return "".join(_cross(float(axes.x(one.time)), one.number, axes) for one in traffic.repeats)


def _cross(x: float, sequence: int, axes: Axes) -> str:
    path = f"M{x - 4:.1f} {float(axes.y(sequence)) - 4:.1f}l8 8m0 -8l-8 8"
    words = svg.tooltip(f"#{number(sequence)} came before")
    return svg.tag("path", words, d=path, stroke=svg.RED, stroke_width=2, fill="none")


def _outside(traffic: Traffic, axes: Axes) -> str:
    """Numbers beyond the axis: a red dash each at the top, and how many."""
    import numpy as np

    if not traffic.beyond:
        return ""
    places = np.unique(np.rint(axes.x(traffic.raster.above)))
    path = "".join(f"M{x:g} {TOP - 4}v8" for x in places.tolist())
    words = f"{number(traffic.beyond)} above the axis, highest #{number(traffic.highest or 0)}"
    return svg.tag("path", d=path, stroke=svg.RED, stroke_width=3) + svg.text(
        LEFT + 6, TOP + 18, words, font_size=11, fill=svg.RED, font_weight="bold"
    )


def _legend(traffic: Traffic) -> str:
    gaps, repeats = traffic.gaps, traffic.repeated
    x = LEFT
    dot = svg.tag("circle", cx=x + 4, cy=14, r=3, fill=svg.BLUE)
    ring = svg.tag("circle", cx=x + 184, cy=14, r=4, fill=svg.PAPER, stroke=svg.AMBER, stroke_width=2)
    cross = svg.tag("path", d=f"M{x + 550} 10l8 8m0 -8l-8 8", stroke=svg.RED, stroke_width=2)
    lost = f"{number(gaps.count)} gaps, {number(gaps.missing)} missing"
    lost += _chosen(len(gaps.largest), gaps.count, "largest")
    again = f"{number(repeats)} duplicates{_chosen(len(traffic.repeats), repeats, 'evenly chosen')}"
    return "".join((
        dot, svg.text(x + 14, 18, f"{number(traffic.packets)} packets"),
        ring, svg.text(x + 195, 18, lost), cross, svg.text(x + 565, 18, again),
    ))  # fmt: skip


def _chosen(shown: int, count: int, which: str) -> str:
    return f" ({shown} {which} marked)" if count > shown else ""
