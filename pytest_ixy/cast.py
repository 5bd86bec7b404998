"""Who plays which role in a trial: the target's own program, the reference, or another repository's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_ixy import source
from pytest_ixy.dialect import shipped
from pytest_ixy.errors import UsageError
from pytest_ixy.spec import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.dialect import Dialect, Touch
    from pytest_ixy.spec import Spec

ROLES = ("pktgen", "fwd", "pcap")
TARGET, REFERENCE = "target", "reference"
PLAYERS = (REFERENCE, TARGET)

Player = str
"""`target`, `reference`, or a repository as somebody wrote it, with `@REF` where a version is meant."""
Cast = Mapping[str, Player]
"""Who plays, by role."""


def parse(texts: Iterable[str]) -> dict[str, Player]:
    """Who is to play which role, from texts such as `pcap=reference`; the last word counts.

    Raises:
        UsageError: no such role, or nobody of that name.
    """
    return dict(_parse(text) for text in texts)


def _parse(text: str) -> tuple[str, Player]:
    role, _, player = text.partition("=")
    if role in ROLES and (player in PLAYERS or "/" in player):
        return role, player
    hint = f"ROLE is {', '.join(ROLES)}; WHO is {', '.join(PLAYERS)}, or a repository: "
    raise UsageError(
        f"{source.redact(text)[:80]!r} is not of the form ROLE=WHO",
        hint=hint + "a URL, OWNER/NAME or ./FOLDER, with @REF for a version",
    )


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
        raise UsageError("Others play every role, so there is nothing of the target to test.")
    return players


def guests(cast: Cast) -> dict[str, Player]:
    """The roles that other repositories play."""
    return {role: player for role, player in cast.items() if player not in PLAYERS}


def dialect_of(dialect: Dialect, cast: Cast) -> Dialect:
    """What arrives when the reference forwards: packets that nobody has touched."""
    return _touching(dialect, ()) if cast["fwd"] == REFERENCE else dialect


def mixed(sender: Dialect | None, forwarder: Dialect | None) -> Dialect | None:
    """What arrives when one repository sends and another one forwards; None where neither says.

    One that says nothing speaks ixy-ci's own dialect.

    Raises:
        UsageError: what the one changes does not fit into what the other sends.
    """
    if sender == forwarder:
        return sender
    return _touching(sender or shipped(), (forwarder or shipped()).touched)


def _touching(dialect: Dialect, touched: tuple[Touch, ...]) -> Dialect:
    if dialect.touched == touched:
        return dialect
    try:
        return dialect.model_validate(
            {**dialect.model_dump(), "touched": [one.model_dump() for one in touched]}
        )
    except ValueError as error:
        changes = ", ".join(one.words for one in touched)
        raise UsageError(
            f"What the one repository's fwd does ({changes}) does not fit the packets of the other's pktgen, "
            f"which are of the dialect {dialect.name}."
        ) from error
