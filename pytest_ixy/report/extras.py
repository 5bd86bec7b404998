"""Who ran beside the usual three roles, or once more, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.report.roles import FLOW, in_flow_order, state
from pytest_ixy.report.text import duration, escape, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ixy.bundle import Manifest

HEAD = ("role", "played by", "command", "ran", "how it went")


def table(manifest: Manifest) -> str:
    """All who ran; empty where these were only the usual ones."""
    if not manifest.roles.keys() - set(FLOW):
        return ""
    head = "".join(f"<th>{escape(words)}</th>" for words in HEAD)
    roles = in_flow_order(list(manifest.roles))
    body = "".join(f"<tr>{''.join(_cells(manifest, role))}</tr>" for role in roles)
    return f'<table class="rates"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cells(manifest: Manifest, role: str) -> Iterator[str]:
    run, how = manifest.roles[role], state(manifest, role)
    ran = f"from {duration(run.started)}" + ("" if run.ended is None else f" to {duration(run.ended)}")
    yield f"<td><code>{escape(line(role, 40))}</code></td>"
    yield f"<td>{escape(line(run.player, 120))}</td>"
    yield f"<td><code>{escape(line(run.command))}</code></td>"
    yield f"<td>{escape(ran)}</td>"
    yield f"<td>{escape(how.words)}</td>"
