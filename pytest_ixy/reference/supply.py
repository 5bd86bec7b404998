"""What references need on a testbed's nodes: sent once, and again when a trial takes more packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy import reference
from pytest_ixy.cast import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ixy.cast import Cast
    from pytest_ixy.course import Course
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.progress import Progress
    from pytest_ixy.testbed import Hosts


class Supply:
    """Knows for how many packets each reference on the nodes is ready; errors as of `reference.send`."""

    def __init__(self, hosts: Hosts, scratch: Path, progress: Progress) -> None:
        self._hosts, self._scratch, self._progress = hosts, scratch, progress
        self._sent: dict[str, int] = {}

    def roles(self, players: Cast, dialect: Dialect, packets: int) -> None:
        """Make the nodes ready whose roles the reference plays, unless they are for so many packets."""
        roles = [role for role, player in players.items() if player == REFERENCE]
        new = [role for role in roles if packets > self._sent.get(role, 0)]
        if new:
            self._send(self._hosts, new, dialect, packets)
        self._sent |= dict.fromkeys(new, packets)

    def extras(self, course: Course, dialect: Dialect, packets: int) -> None:
        """The same for those who play beside the roles."""
        for extra in course.extras:
            if packets > self._sent.get(extra.name, 0):
                self._send({extra.role: self._hosts[extra.node]}, [extra.role], dialect, packets)
                self._sent[extra.name] = packets

    def _send(self, hosts: Hosts, roles: list[str], dialect: Dialect, packets: int) -> None:
        with self._progress.phase("send"):
            reference.send(hosts, roles, dialect, packets, self._scratch)
