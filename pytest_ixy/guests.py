"""Other repositories that play a role beside the target: each is fetched once, before anything is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_ixy import cast, source, target
from pytest_ixy.errors import UsageError
from pytest_ixy.spec import NAME
from pytest_ixy.topology import FWD, PKTGEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ixy.cast import Cast
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.target import Target

Guests = Mapping[str, "Target"]
"""By role."""


def fetch(players: Cast, asked: Cast, into: Path, *, timeout: float, exclude: Sequence[Path]) -> Guests:
    """Get the repositories that play a role.

    Args:
        players: Who plays each role.
        asked: The same as far as the user says it. What the target says can name nothing on this machine.
        into: Folder of this run.
        timeout: Seconds for each.
        exclude: Folders that are no part of a local one though they lie in it.

    Raises:
        UsageError: no such repository or version, or it has no program for the role.
        LabError: git is missing or took too long.
    """
    fetched: dict[tuple[str, bool], Target] = {}
    found = {}
    for role, player in cast.guests(players).items():
        key = player, role in asked
        with _blamed(role):
            if key not in fetched:
                repo, ref = source.versioned(player, here=key[1])
                folder, elsewhere = into / str(len(fetched)), not key[1]
                fetched[key] = target.fetch(
                    repo, ref, folder, timeout=timeout, exclude=exclude, elsewhere=elsewhere
                )
            found[role] = _able(fetched[key], role)
    return found


def dialects(players: Cast, own: Target, guests: Guests) -> tuple[Dialect | None, Dialect | None]:
    """What is sent, and what is made of it, as their repositories declare it.

    The reference sends what the target declares.
    """
    sender, forwarder = (guests[role] if role in cast.guests(players) else own for role in (PKTGEN, FWD))
    return sender.spec.dialect, forwarder.spec.dialect


@contextmanager
def _blamed(role: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise UsageError(f"who is to play {role}: {error.what}", hint=error.hint) from None


def _able(guest: Target, role: str) -> Target:
    if guest.spec.command(role) is None:
        raise UsageError(f"{NAME}: {role!r} is missing\n  in {guest.record.label}")
    return guest
