"""Links from the page to files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from pytest_ixy.report.text import escape


def link(path: Path, folder: Path, words: str) -> str:
    """A link to a file or folder, relative to the page's folder; plain text when it is not there."""
    if not path.exists():
        return f'<span class="muted">{escape(words)} (not there)</span>'
    relative = quote(os.fsencode(os.path.relpath(path, folder)))
    return f'<a href="{escape(relative)}{"/" if path.is_dir() else ""}">{escape(words)}</a>'


def inside(folder: Path, relative: str) -> Path | None:
    """The file that a manifest names, or None when it is not a file in the manifest's own folder."""
    if not relative or "\0" in relative:
        return None
    path = (folder / relative).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
