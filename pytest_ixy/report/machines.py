"""The nodes before and after the trial, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.report.text import escape, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ixy.bundle import Manifest, NodeRecord
    from pytest_ixy.nodestate import Device, NodeState

HEAD = ("machine", "", "before", "after")
LISTED = 5


def table(manifest: Manifest) -> str:
    """Empty where nobody has looked at the nodes."""
    rows = [row for node in manifest.nodes for row in _rows(node)]
    if not rows:
        return ""
    head = "".join(f"<th>{escape(words)}</th>" for words in HEAD)
    body = "".join(f"<tr>{''.join(f'<td>{escape(line(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="rules"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _rows(node: NodeRecord) -> Iterator[tuple[str, str, str, str]]:
    if node.before is None or node.after is None:
        return
    before, after = _facts(node.before), _facts(node.after)
    for name in dict.fromkeys([*before, *after]):
        yield node.name, name, before.get(name, "none"), after.get(name, "none")


def _facts(state: NodeState) -> dict[str, str]:
    """What there is to say, by what it is about."""
    facts = {"memory available": f"{state.available >> 10:,} MiB"}
    for pages in state.huge_pages:
        facts[f"huge pages of {pages.size:,} KiB"] = f"{pages.free:,} of {pages.total:,} free"
    facts |= {device.pci: _device(device) for device in state.devices}
    if state.processes:
        names = ", ".join(f"{one.name} ({one.pid})" for one in state.processes[:LISTED])
        more = len(state.processes) - LISTED
        facts["processes"] = names + (f" and {more} more" if more > 0 else "")
    return facts


def _device(device: Device) -> str:
    if not device.present:
        return "not there"
    master = ", may write to memory" if device.masters else ""
    return f"{device.vendor}:{device.device}, driver {device.driver or 'none'}{master}"
