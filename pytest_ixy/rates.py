"""Packets per second through each role, as three witnesses have it: the capture, the networks, the role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ixy.rules import Evidence
from pytest_ixy.spoken import Spoken, spoken
from pytest_ixy.topology import FWD, PCAP, PKTGEN
from pytest_ixy.way import Way, steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ixy.bundle import Bundle
    from pytest_ixy.way import Flow

FILE = "rates.json"
COUNTS: dict[str, Callable[[Flow], int]] = {
    PKTGEN: lambda flow: flow.sent,
    FWD: lambda flow: flow.left,
    PCAP: lambda flow: flow.arrived,
}
"""What is counted for a role: what came out of pktgen and fwd, and what went into pcap."""


@dataclass(frozen=True)
class Rate:
    """Packets per second of one role; None where a witness has nothing to say.

    Attributes:
        role: Its name.
        capture: By the times of the capture, from its first to its last frame; only pcap's.
        network: By the counters of its NIC on the network's side, while traffic was steady.
        said: By its own output.
    """

    role: str
    capture: float | None = None
    network: float | None = None
    said: Spoken | None = None

    @property
    def known(self) -> bool:
        """True when any witness has something to say."""
        return any(one is not None for one in (self.capture, self.network, self.said))

    def as_dict(self) -> dict[str, Any]:
        """As plain data, rounded as far as it means something."""
        found = {"capture": self.capture, "network": self.network}
        found["said"] = self.said.rate if self.said else None
        return {name: round(value, 1) for name, value in found.items() if value is not None}


def rates(bundle: Bundle, frames: int, seconds: float) -> tuple[Rate, ...]:
    """The rates of a trial's roles, in the order of the traffic; without those that nobody knows.

    Args:
        bundle: What the trial left.
        frames: How many packets the capture has.
        seconds: From the first one to the last.
    """
    way = None if bundle.alone else Way.of(bundle)
    made = (_rate(bundle, way, role, (frames, seconds)) for role in COUNTS)
    return tuple(rate for rate in made if rate.known)


def _rate(bundle: Bundle, way: Way | None, role: str, capture: tuple[int, float]) -> Rate:
    frames, seconds = capture
    run = bundle.manifest.roles.get(role)
    return Rate(
        role,
        (frames - 1) / seconds if role == PCAP and seconds > 0 and frames > 1 else None,
        steady(way, COUNTS[role]) if way else None,
        spoken(bundle.text(run.log), role) if run and run.log else None,
    )


def leave(bundle: Bundle) -> None:
    """Write them into the bundle, for those who read JSON; they can be made of the rest at any time."""
    seen = Evidence(bundle).observed
    found = {rate.role: rate.as_dict() for rate in rates(bundle, seen.numbered, seen.seconds)}
    if found:
        (bundle.path / FILE).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
