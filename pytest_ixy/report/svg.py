"""Small pieces of SVG, written by hand: light, without ids that could clash in one page.

Colours are attributes and not a style sheet, so that pictures survive a page whose styles are blocked.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from pytest_ixy.report.text import escape

INK, MUTED, LINE, PAPER, PANEL = "#1f2933", "#5b6b7b", "#cfd8e0", "#ffffff", "#f6f8fa"
BLUE, GREEN, RED, AMBER = "#2563a8", "#1a7f4b", "#c62f2f", "#b86e00"
SANS, MONO = "Helvetica, Arial, sans-serif", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

Attribute: TypeAlias = str | float | None


def tag(name: str, *content: str, **attributes: Attribute) -> str:
    """An element; `content` is SVG already, attribute values are escaped, None leaves one out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(content)
    return f"<{name}{shown}>{inner}</{name}>" if inner else f"<{name}{shown}/>"


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else coordinate(value)


def coordinate(value: float) -> str:
    """A length in the picture, to a tenth of a unit."""
    return f"{round(float(value), 1):g}" if abs(value) < 1e5 else str(round(value))  # noqa: PLR2004


def text(x: float, y: float, words: object, **attributes: Attribute) -> str:
    """One line of text; `words` come from anywhere."""
    given = {"x": x, "y": y, "fill": INK, "font_size": 12, **attributes}
    return tag("text", escape(words), **given)


def line(start: tuple[float, float], end: tuple[float, float], **attributes: Attribute) -> str:
    """A straight line."""
    given = {"stroke": LINE, "stroke_width": 1, **attributes}
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **given)


def box(
    corner: tuple[float, float], extent: tuple[float, float], *content: str, **attributes: Attribute
) -> str:
    """A rectangle by its upper left corner and its width and height."""
    given = {"fill": PAPER, **attributes}
    return tag("rect", *content, x=corner[0], y=corner[1], width=extent[0], height=extent[1], **given)


def tooltip(words: object) -> str:
    """What a pointer over the enclosing element shows."""
    return tag("title", escape(words))


def picture(width: float, height: float, name: str, *content: str) -> str:
    """The whole picture; `name` says what it shows to those who cannot see it.

    It stands on paper of its own: browsers that make pages dark leave its dark letters as they are.
    """
    return tag(
        "svg",
        box((0, 0), (width, height)),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        width="100%",
        role="img",
        aria_label=name,
        font_family=SANS,
        style=f"max-width: {coordinate(width)}px",
    )


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """At most about `count` round values (1, 2 or 5 times a power of ten) in `low`..`high`."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
