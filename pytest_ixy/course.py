"""How a trial goes, where it is not the usual way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_ixy.topology import FWD, PCAP, PKTGEN
from pytest_ixy.traffic import Traffic

ORDER = (PCAP, FWD, PKTGEN)


class Players(Protocol):
    """The roles of a trial under way, as acts see them."""

    def start(self, role: str, *, waiting: bool) -> None:
        """Start it, for the first time or again; wait until it is ready where that is asked for."""
        ...

    def stop(self, role: str) -> None:
        """Stop it, as at the end of a trial."""
        ...

    def kill(self, role: str) -> None:
        """End it by SIGKILL, so that it can put nothing in order."""
        ...

    def link(self, role: str, *, up: bool) -> None:
        """Let all links of its node come up or go down; NotOfferedError where nobody can."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass, less when a role ends meanwhile."""
        ...


@dataclass(frozen=True)
class Moment:
    """When something is due: once traffic is so old, and about so many packets have come to pcap."""

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
    """A role is stopped, or killed, and started again."""

    role: str
    at: Moment
    killed: bool = False

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.role} is {'killed and started again' if self.killed else 'restarted'}"

    def perform(self, players: Players) -> None:
        """Wait for it to be ready again."""
        (players.kill if self.killed else players.stop)(self.role)
        players.start(self.role, waiting=True)


@dataclass(frozen=True)
class Relink:
    """The links of a role's node go down for some seconds."""

    role: str
    at: Moment
    seconds: float = 1.0

    @property
    def words(self) -> str:
        """For people."""
        return f"the links of {self.role} are down for {self.seconds:g} s"

    def perform(self, players: Players) -> None:
        """Down and up."""
        try:
            players.link(self.role, up=False)
            players.wait(self.seconds)
        finally:  # a testbed may be held, and who visits it wants its links
            players.link(self.role, up=True)


@dataclass(frozen=True)
class Extra:
    """One more player in a trial: the reference plays `role` on the node of another role."""

    name: str
    role: str
    node: str


@dataclass(frozen=True)
class Course:
    """How a trial goes; the usual way by default.

    Attributes:
        name: Of the test that asks for it, so that its bundle is known again; empty for none.
        order: The roles and extras as they are started one after the other.
        pauses: Seconds to let pass before a role is started, by role.
        acts: What is done while the trial runs, in this order.
        seconds: The trial ends when traffic is so old; None to end it when pcap has its packets.
        keeps: What pcap writes is kept and fetched. A long trial's would fill disks.
        swapped: fwd is given its two NICs the other way round, so traffic goes through it backwards.
        extras: Who plays beside the three roles.
        spare: Packets that the reference pktgen must have beyond those of a usual trial: they get lost.
        rate: Packets a second that the reference pktgen sends; None for its usual rate.
        traffic: What the reference pktgen sends in place of numbered packets; pcap, the reference too, then
            takes all that comes until nothing does any more.
    """

    name: str = ""
    order: tuple[str, ...] = ORDER
    pauses: Mapping[str, float] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()
    seconds: float | None = None
    swapped: bool = False
    extras: tuple[Extra, ...] = ()
    spare: int = 0
    rate: int | None = None
    keeps: bool = True
    traffic: Traffic | None = None

    def beside(self, name: str) -> Extra | None:
        """The extra of that name, if there is one."""
        return next((one for one in self.extras if one.name == name), None)

    @property
    def words(self) -> str:
        """What is unusual, for the manifest and for people; empty when nothing is."""
        parts = [
            f"{', '.join(self.order)} are started in this order" if self.order != ORDER else "",
            *(f"{pause:g} s pass before {role} is started" for role, pause in self.pauses.items()),
            *(act.words for act in self.acts),
            f"it ends after {self.seconds:g} s" if self.seconds is not None else "",
            "fwd has its NICs the other way round" if self.swapped else "",
            *(f"{one.name} plays {one.role} on the node of {one.node}" for one in self.extras),
            "the capture is not kept" if not self.keeps else "",
            f"frames of the class {self.traffic.name} are sent" if self.traffic else "",
        ]
        return "; ".join(filter(None, parts))


USUAL = Course()

SOAK, ENDLESS = "soak", 2**31 - 1
"""The scenario that goes by time, and for pcap a number of packets that it does not reach meanwhile."""


def soak(minutes: float) -> Course:
    """Traffic for so long."""
    return Course(seconds=60 * minutes, keeps=False)
