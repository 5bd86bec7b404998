"""What is otherwise on a node after a trial than it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ixy.nodestate import Device, Living, NodeState

CROWDED = 250
"""So many processes are told at most; where there are more, nobody knows which are new."""


@dataclass(frozen=True)
class Leftovers:
    """What a role left behind.

    Attributes:
        pages: Huge pages that are used and were not, by size in KiB; sizes with none are left out.
        files: Files with huge pages that were not there.
        devices: Devices of which driver or right to write to memory changed, before and after.
        gone: Addresses of devices that are no longer there.
        processes: Processes that were not there.
    """

    pages: dict[int, int]
    files: tuple[str, ...]
    devices: tuple[tuple[Device, Device], ...]
    gone: tuple[str, ...]
    processes: tuple[Living, ...]

    @property
    def kib(self) -> int:
        """Memory in the pages."""
        return sum(size * count for size, count in self.pages.items())


def leftovers(before: NodeState, after: NodeState) -> Leftovers:
    """What a role left on its node, from the states before and after."""
    used = {pages.size: pages.used for pages in before.huge_pages}
    grown = {pages.size: pages.used - used.get(pages.size, 0) for pages in after.huge_pages}
    now = {device.pci: device for device in after.devices}
    known = {(one.pid, one.started) for one in before.processes}
    pairs = [(old, now[old.pci]) for old in before.devices if old.present and old.pci in now]
    crowded = len(before.processes) >= CROWDED
    return Leftovers(
        pages={size: count for size, count in grown.items() if count > 0},
        files=tuple(file for file in after.files if file not in set(before.files)),
        devices=tuple((old, new) for old, new in pairs if new.present and _changed(old, new)),
        gone=tuple(old.pci for old, new in pairs if not new.present),
        processes=tuple(
            one for one in after.processes if not crowded and (one.pid, one.started) not in known
        ),
    )


def _changed(old: Device, new: Device) -> bool:
    """Whether somebody who comes next finds it otherwise; a kernel driver sets the command as it likes."""
    return new.driver != old.driver or (not new.driver and new.masters != old.masters)
