"""Logs, consoles and the work tree's changes, folded: the end of each, and a link to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.bundle import DIFF
from pytest_ixy.report.links import inside, link
from pytest_ixy.report.roles import in_flow_order
from pytest_ixy.report.text import escape, size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_ixy.bundle import Build, Bundle

LIMIT = 64 << 10


def folded(bundle: Bundle, folder: Path) -> str:
    """All logs of a bundle, each in a fold of its own."""
    return "".join(_fold(bundle, folder, *log) for log in _logs(bundle))


def _logs(bundle: Bundle) -> Iterator[tuple[str, str, str]]:
    """Title, path in the bundle, and what to show when there is no such file."""
    manifest = bundle.manifest
    for role in in_flow_order(list(manifest.roles)):
        run = manifest.roles[role]
        yield f"{role}: output", run.log, run.tail
        if run.crash:
            yield f"{role}: what is known of its crash", run.crash.file or "", run.crash.text
    for role in in_flow_order(list(manifest.builds)):
        yield f"{role}: {_build(manifest.builds[role])}", manifest.builds[role].log, ""
    for node in manifest.nodes:
        if node.console:
            yield f"{node.name}: console", node.console, ""
        if node.kernel:
            yield f"{node.name}: what its kernel logged during the trial", node.kernel, ""
    if manifest.target.dirty:
        yield "what the work tree changed", DIFF, ""


def _build(build: Build) -> str:
    """What a build's log is of."""
    if build.kept:
        return f"build, kept since {build.kept:%Y-%m-%d %H:%M} UTC"
    return f"build, made on the node of {build.made_on}" if build.made_on else "build"


def _fold(bundle: Bundle, folder: Path, title: str, relative: str, instead: str) -> str:
    path = inside(bundle.path, relative)
    text = bundle.text(relative, limit=LIMIT) if path else instead
    length = path.stat().st_size if path else len(instead)
    said = size(length) if path or instead else "nothing was kept"
    cut = f", the last {size(LIMIT)} shown" if length > LIMIT else ""
    whole = f"<p>{link(path, folder, 'the whole file')}</p>" if path else ""
    body = _diff(text) if relative == DIFF else escape(text)
    inner = f"{whole}<pre>{body}</pre>" if text else whole
    return (
        f'<details><summary>{escape(title)} <span class="muted">{said}{cut}</span></summary>{inner}</details>'
    )


def _diff(text: str) -> str:
    """A unified diff with its added and removed lines coloured."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    lines = escape(text).split("\n")
    return "\n".join(
        f'<span class="{kinds[line[0]]}">{line}</span>' if line[:1] in kinds else line for line in lines
    )
