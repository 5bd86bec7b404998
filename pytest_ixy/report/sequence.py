"""The plot of sequence number over time: every packet, with what is missing and what came twice.

Packets are drawn as the cells of a grid that they touch, runs of cells joined, so that the picture of
millions of packets is as small as that of thousands, and yet shows every one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ixy.report import svg
from pytest_ixy.report.text import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_ixy.report.traffic import Traffic

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1010, 380, 84, 18, 34, 52
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MARKS = 400
"""At most so many gaps, and so many duplicates, get a mark of their own."""
RUNS = 15_000
CELLS = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Axes:
    """How time (seconds) and sequence numbers become places in the picture."""

    begin: float
    seconds: float
    top: float

    def x(self, time: Any) -> Any:
        """Place of a capture time, or of an array of them."""
        return LEFT + (time - self.begin) * (PLOT_WIDTH / self.seconds)

    def y(self, sequence: Any) -> Any:
        """Place of a sequence number, or of an array of them; those above the axis at its top."""
        import numpy as np

        return TOP + PLOT_HEIGHT * (1 - np.minimum(sequence, self.top) / self.top)


def draw(traffic: Traffic, packets: int) -> str:
    """The plot as SVG.

    Args:
        traffic: What was captured; at least one packet.
        packets: How many were asked for: the axis reaches at least that far, and at most a little
            beyond twice as far, so that one damaged number does not hide all others.
    """
    highest = max(traffic.highest or 0, packets - 1, 1)
    top = min(highest * 1.03, 2.2 * max(packets, 1))
    axes = Axes(float(traffic.time.min()), traffic.seconds or 1.0, top)
    return svg.picture(
        WIDTH, HEIGHT, "sequence number over time",
        _grid(axes, packets), _points(traffic, axes), _gaps(traffic, axes), _repeats(traffic, axes),
        _outside(traffic, axes), _legend(traffic),
    )  # fmt: skip


def _grid(axes: Axes, packets: int) -> str:
    parts = []
    for value in svg.ticks(0, axes.top):
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
    y = float(axes.y(packets - 1))
    words = f"{number(packets)} packets were asked for"
    return svg.line((LEFT, y), (WIDTH - RIGHT, y), stroke=svg.MUTED, stroke_dasharray="5 4") + svg.text(
        LEFT + 6, y + 14, words, font_size=11, fill=svg.MUTED
    )


def _points(traffic: Traffic, axes: Axes) -> str:
    """All packets on the finest grid on which the picture stays small."""
    inside = traffic.sequence <= axes.top
    x, y = axes.x(traffic.time[inside]), axes.y(traffic.sequence[inside])
    for cell in CELLS:
        runs = _runs(x, y, cell)
        if len(runs) <= RUNS:
            break
    path = "".join(f"M{a * cell:g} {b * cell:g}V{c * cell:g}" for a, b, c in runs.tolist())
    width = max(2.0, cell * 1.2)
    return svg.tag("path", d=path, stroke=svg.BLUE, stroke_width=width, stroke_linecap="round", fill="none")


def _runs(x: NDArray[Any], y: NDArray[Any], cell: float) -> NDArray[Any]:
    """Cells that hold a packet, joined where they touch in a column: column, first and last row."""
    import numpy as np

    columns, rows = np.rint(x / cell).astype(np.int64), np.rint(y / cell).astype(np.int64)
    span = 1 << 20
    cells = np.unique(columns * span + rows)
    starts = np.flatnonzero(np.diff(cells, prepend=-2) != 1)
    ends = np.append(starts[1:], cells.size) - 1 if cells.size else starts
    return np.stack((cells[starts] // span, cells[starts] % span, cells[ends] % span), axis=1)


def _gaps(traffic: Traffic, axes: Axes) -> str:
    """A mark where each gap opened; the largest gaps when there are too many."""
    import numpy as np

    gaps = traffic.gaps
    largest = gaps[np.argsort(gaps[:, 0] - gaps[:, 1], kind="stable")[:MARKS]]
    order = np.argsort(traffic.sequence, kind="stable")
    known, times = traffic.sequence[order], traffic.time[order]
    # A neighbour of the gap may be a packet that came late: the earlier of both is where it opened.
    before = times[np.maximum(np.searchsorted(known, largest[:, 0]) - 1, 0)]
    after = times[np.searchsorted(known, largest[:, 1] + 1)]
    places = axes.x(np.minimum(before, after)).tolist()
    return "".join(_gap(x, gap[0], gap[1], axes) for x, gap in zip(places, largest.tolist(), strict=True))


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
    import numpy as np

    shown = traffic.repeats
    if shown.size > MARKS:
        shown = shown[np.linspace(0, shown.size - 1, MARKS).astype(np.int64)]
    return "".join(
        _cross(float(axes.x(traffic.time[index])), int(traffic.sequence[index]), axes) for index in shown
    )


def _cross(x: float, sequence: int, axes: Axes) -> str:
    path = f"M{x - 4:.1f} {float(axes.y(sequence)) - 4:.1f}l8 8m0 -8l-8 8"
    words = svg.tooltip(f"#{number(sequence)} came before")
    return svg.tag("path", words, d=path, stroke=svg.RED, stroke_width=2, fill="none")


def _outside(traffic: Traffic, axes: Axes) -> str:
    """Numbers beyond the axis: a red dash each at the top, and how many."""
    import numpy as np

    beyond = np.flatnonzero(traffic.sequence > axes.top)
    if not beyond.size:
        return ""
    places = np.unique(np.rint(axes.x(traffic.time[beyond])))
    path = "".join(f"M{x:g} {TOP - 4}v8" for x in places.tolist())
    words = f"{number(beyond.size)} above the axis, highest #{number(traffic.highest or 0)}"
    return svg.tag("path", d=path, stroke=svg.RED, stroke_width=3) + svg.text(
        LEFT + 6, TOP + 18, words, font_size=11, fill=svg.RED, font_weight="bold"
    )


def _legend(traffic: Traffic) -> str:
    gaps, repeats = len(traffic.gaps), int(traffic.repeats.size)
    x = LEFT
    dot = svg.tag("circle", cx=x + 4, cy=14, r=3, fill=svg.BLUE)
    ring = svg.tag("circle", cx=x + 184, cy=14, r=4, fill=svg.PAPER, stroke=svg.AMBER, stroke_width=2)
    cross = svg.tag("path", d=f"M{x + 550} 10l8 8m0 -8l-8 8", stroke=svg.RED, stroke_width=2)
    lost = f"{number(gaps)} gaps, {number(traffic.missing)} missing{_chosen(gaps, 'largest')}"
    again = f"{number(repeats)} duplicates{_chosen(repeats, 'evenly chosen')}"
    return "".join((
        dot, svg.text(x + 14, 18, f"{number(traffic.packets)} packets"),
        ring, svg.text(x + 195, 18, lost), cross, svg.text(x + 565, 18, again),
    ))  # fmt: skip


def _chosen(count: int, which: str) -> str:
    return f" ({MARKS} {which} marked)" if count > MARKS else ""
