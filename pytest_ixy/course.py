"""How a trial goes, where it is not the usual way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_ixy.topology import FWD, PCAP, PKTGEN

ORDER = (PCAP, FWD, PKTGEN)


class Players(Protocol):
    """The roles of a trial under way, as acts see them."""

    def start(self, role: str, *, waiting: bool) -> None:
        """Start it, for the first time or again; wait until it is ready where that is asked for."""
        ...

    def stop(self, role: str) -> None:
        """Stop it, as at the end of a trial."""
        ...


@dataclass(frozen=True)
class Moment:
    """When something is due: once traffic is so old, and pcap has written about so many packets."""

    seconds: float = 0.0
    packets: int = 0


class Act(Protocol):
    """Something that is done to a trial under way."""

    @property
    def at(self) -> Moment:
        """When."""
        ...

    @property
    def words(self) -> str:
        """What, for the manifest and for people."""
        ...

    def perform(self, players: Players) -> None:
        """Do it; LabError when a node was lost."""
        ...


@dataclass(frozen=True)
class Restart:
    """A role is stopped and started again."""

    role: str
    at: Moment

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.role} is restarted"

    def perform(self, players: Players) -> None:
        """Wait for it to be ready again."""
        players.stop(self.role)
        players.start(self.role, waiting=True)


@dataclass(frozen=True)
class Course:
    """How a trial goes; the usual way by default.

    Attributes:
        order: The roles as they are started one after the other.
        pauses: Seconds to let pass before a role is started, by role.
        acts: What is done while the trial runs, in this order.
        seconds: The trial ends when traffic is so old; None to end it when pcap has its packets.
        swapped: fwd is given its two NICs the other way round, so traffic goes through it backwards.
    """

    order: tuple[str, ...] = ORDER
    pauses: Mapping[str, float] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()
    seconds: float | None = None
    swapped: bool = False

    @property
    def words(self) -> str:
        """What is unusual, for the manifest and for people; empty when nothing is."""
        parts = [
            f"{', '.join(self.order)} are started in this order" if self.order != ORDER else "",
            *(f"{pause:g} s pass before {role} is started" for role, pause in self.pauses.items()),
            *(act.words for act in self.acts),
            f"it ends after {self.seconds:g} s" if self.seconds is not None else "",
            "fwd has its NICs the other way round" if self.swapped else "",
        ]
        return "; ".join(filter(None, parts))


USUAL = Course()
