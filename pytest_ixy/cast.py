"""Who plays which role in a trial: the target's own program, or the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pytest_ixy.errors import UsageError
from pytest_ixy.spec import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.dialect import Dialect
    from pytest_ixy.spec import Spec

ROLES = ("pktgen", "fwd", "pcap")
TARGET: Literal["target"] = "target"
REFERENCE: Literal["reference"] = "reference"
PLAYERS = (REFERENCE, TARGET)

Player = Literal["target", "reference"]
Cast = Mapping[str, Player]
"""Who plays, by role."""


def parse(texts: Iterable[str]) -> dict[str, Player]:
    """Who is to play which role, from texts such as `pcap=reference`; the last word counts.

    Raises:
        UsageError: no such role, or nobody of that name.
    """
    return dict(_parse(text) for text in texts)


def _parse(text: str) -> tuple[str, Player]:
    role, _, name = text.partition("=")
    player = next((one for one in PLAYERS if one == name), None)
    if role not in ROLES or player is None:
        hint = f"ROLE is {', '.join(ROLES)}; WHO is {' or '.join(PLAYERS)}"
        raise UsageError(f"{text[:80]!r} is not of the form ROLE=WHO", hint=hint)
    return role, player


def cast(spec: Spec, label: str, asked: Cast) -> dict[str, Player]:
    """Who plays each role: as it is asked for, else as the target says, else the target itself.

    Raises:
        UsageError: the target should play a role that it has no program for.
    """
    players: dict[str, Player] = {}
    for role in ROLES:
        declared: Player = getattr(spec.roles, role) or TARGET
        players[role] = asked.get(role, declared)
        if players[role] == TARGET and spec.command(role) is None:
            hint = f"add it, or let the reference play that role: --ixy-role={role}=reference"
            raise UsageError(f"{NAME}: {role!r} is missing\n  in {label}", hint=hint)
    if TARGET not in players.values():
        raise UsageError("The reference plays every role, so there is nothing of the target to test.")
    return players


def dialect_of(dialect: Dialect, cast: Cast) -> Dialect:
    """What arrives when the reference forwards: packets that nobody has touched."""
    if cast["fwd"] == TARGET or not dialect.touched:
        return dialect
    return dialect.model_validate({**dialect.model_dump(), "touched": ()})
