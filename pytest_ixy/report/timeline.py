"""The picture of a trial's time: the phases of the whole run, and the roles on a scale of their own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from pytest_ixy.bundle import Manifest, Run
from pytest_ixy.report import svg
from pytest_ixy.report.roles import state
from pytest_ixy.report.text import duration, line
from pytest_ixy.report.topology import COLOUR

WIDTH, LEFT, RIGHT, ROW, BAR, HEAD, FOOT = 1010, 104, 92, 22, 14, 30, 34
PLOT = WIDTH - LEFT - RIGHT
PHASES = "phases of the run"
ROLES = "roles in the trial (\N{WHITE DIAMOND} ready: the next one is started)"


@dataclass(frozen=True)
class Span:
    """A bar: a name, seconds since the trial's start, a colour, and what its tooltip says.

    `ready` is when the role counted as ready, `open` says that the end is not known.
    """

    name: str
    start: float
    end: float
    colour: str
    words: str
    ready: float | None = None


def draw(manifest: Manifest) -> str:
    """Two panels as SVG; empty when the manifest knows of no times."""
    phases, roles = _phases(manifest), _roles(manifest)
    panels, y = "", 0.0
    for title, spans in ((PHASES, phases), (ROLES, roles)):
        if spans:
            panels += _panel(y, title, spans)
            y += HEAD + ROW * len(spans) + FOOT
    return svg.picture(WIDTH, y, "timeline of the trial", panels) if panels else ""


def _phases(manifest: Manifest) -> list[Span]:
    spans = []
    for phase in manifest.phases:
        start = (phase.started - manifest.started).total_seconds()
        words = f"{line(phase.name, 40)}: {duration(phase.seconds)}"
        spans.append(Span(phase.name, start, start + phase.seconds, svg.BLUE, words))
    if spans:
        zero = min(span.start for span in spans)
        spans = [Span(s.name, s.start - zero, s.end - zero, s.colour, s.words) for s in spans]
    return sorted(spans, key=lambda span: span.start)


def _roles(manifest: Manifest) -> list[Span]:
    """Roles in the order of their start; the next one is started when a role counts as ready."""
    runs = sorted(manifest.roles.items(), key=lambda item: item[1].started)
    last = max((run.ended or run.started for _, run in runs), default=0.0)
    following = [run.started for _, run in runs[1:]]
    return [_role(manifest, name, run, last, ready) for (name, run), ready in zip_longest(runs, following)]


def _role(manifest: Manifest, name: str, run: Run, last: float, ready: float | None) -> Span:
    how = state(manifest, name)
    end = last if run.ended is None else run.ended
    words = f"{name}: {how.words}; ready: {line(run.ready, 80)}"
    return Span(name, run.started, end, COLOUR[how.kind], words, ready if run.ready else None)


def _panel(top: float, title: str, spans: list[Span]) -> str:
    low, high = min(span.start for span in spans), max(span.end for span in spans)
    low = 0.0 if low >= 0 else low
    scale = PLOT / (high - low) if high > low else 0.0
    bottom = top + HEAD + ROW * len(spans)
    heading = svg.text(0, top + 16, title, font_weight="bold")
    rows = [_row(top + HEAD + ROW * index, span, low, scale) for index, span in enumerate(spans)]
    return heading + _axis(top + HEAD - 4, bottom, (low, high), scale) + "".join(rows)


def _axis(top: float, bottom: float, limits: tuple[float, float], scale: float) -> str:
    parts = []
    for value in svg.ticks(*limits, count=8):
        x = LEFT + (value - limits[0]) * scale
        parts.append(svg.line((x, top), (x, bottom)))
        parts.append(
            svg.text(x, bottom + 14, f"{value:g} s", text_anchor="middle", font_size=11, fill=svg.MUTED)
        )
    return "".join(parts)


def _row(y: float, span: Span, low: float, scale: float) -> str:
    x, width = LEFT + (span.start - low) * scale, max(2.0, (span.end - span.start) * scale)
    name = svg.text(LEFT - 8, y + BAR - 2, line(span.name, 16), text_anchor="end", fill=svg.INK)
    bar = svg.box((x, y), (width, BAR), svg.tooltip(span.words), rx=2, fill=span.colour)
    seconds = svg.text(
        x + width + 6, y + BAR - 3, duration(span.end - span.start), font_size=11, fill=svg.MUTED
    )
    return name + bar + seconds + _ready(y, span, low, scale)


def _ready(y: float, span: Span, low: float, scale: float) -> str:
    if span.ready is None:
        return ""
    x = LEFT + (span.ready - low) * scale
    diamond = f"M{x:.1f} {y - 1}l5 8l-5 8l-5 -8z"
    return svg.tag(
        "path", svg.tooltip(span.words), d=diamond, fill=svg.PAPER, stroke=svg.INK, stroke_width=1.2
    )
