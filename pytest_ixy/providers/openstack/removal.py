"""Remove what a run made in a cloud, going by what stands in the ledger: for clean-ups and for sweeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from pytest_ixy.config import CloudTimeouts
from pytest_ixy.errors import IxyError
from pytest_ixy.parallel import all_at_once
from pytest_ixy.providers.openstack import door
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.kinds import KINDS
from pytest_ixy.providers.openstack.quiet import quiet
from pytest_ixy.providers.openstack.reference import Thing
from pytest_ixy.providers.openstack.trouble import CONFLICT, MISSING, attempt, status, words

REMOVAL = CloudTimeouts().removal
GRACE = 15.0
"""Seconds that a cloud may take to make what a run asked for that was killed meanwhile."""
POLL = 0.5
HELD = 60.0
"""Seconds for which something may refuse to go because something else holds it."""

_gone: set[Thing] = set()
_held: set[Thing] = set()
"""What this process has seen to be gone, or to stay: a provider's clean-up is followed by the ledger's."""


@quiet()
def remove_entry(text: str) -> bool:
    """Remove what an entry of a ledger stands for; False when there is nothing of it.

    Raises:
        OSError: it could not be removed, or there is no way to the cloud.
    """
    try:
        thing = Thing.parse(text)
        if thing in _gone:
            return False
        return remove(thing, door.enter(thing.place), REMOVAL, GRACE)
    except (IxyError, ValueError) as error:
        raise OSError(getattr(error, "what", None) or f"not an entry: {text[:200]!r}") from error


def remove(thing: Thing, cloud: Cloud, seconds: float, grace: float = 0.0) -> bool:
    """Remove a thing, wait until it is gone; False when it was not there.

    Args:
        thing: What.
        cloud: Where.
        seconds: How long it may take.
        grace: How long after it was begun it may still appear.

    Raises:
        IxyError: the cloud does not do it.
        TimeoutError: it is still there.
    """
    found = _find(thing, cloud)
    while not found and time.time() < thing.at + grace:
        time.sleep(POLL)
        found = _find(thing, cloud)
    end = time.monotonic() + seconds
    for one in found:
        _remove_one(thing, one, cloud, end)
    _gone.add(thing)
    return bool(found)


def _find(thing: Thing, cloud: Cloud) -> list[Any]:
    way = KINDS.get(thing.kind)
    if way is None:
        raise OSError(f"nobody knows how to remove a {thing.kind}")
    return attempt(f"look for {thing.name}", cloud.where, lambda: way.find(cloud.sdk, thing.name, thing.run))


def _remove_one(thing: Thing, one: Any, cloud: Cloud, end: float) -> None:
    """Ask for it, again while something else that is just going holds it, then wait."""
    way = KINDS[thing.kind]
    patience = time.monotonic() + (0 if thing in _held else HELD)

    def ask() -> str:
        try:
            way.remove(cloud.sdk, one)
        except Exception as error:
            if status(error) != CONFLICT:
                raise
            return words(error)
        return ""

    while True:
        last = attempt(f"remove the {thing.kind} {thing.name}", cloud.where, ask)
        if not last and (not way.lingers or _within(POLL * 4, lambda: _is_gone(thing, one, cloud))):
            return
        if time.monotonic() > (min(end, patience) if last else end):
            _held.add(thing)
            raise TimeoutError(f"it is still there{last and f': {last}'}")
        time.sleep(POLL)


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(POLL / 5)
    return value


def _is_gone(thing: Thing, one: Any, cloud: Cloud) -> bool:
    def look() -> bool:
        try:
            now = KINDS[thing.kind].look(cloud.sdk, one)
        except Exception as error:
            if status(error) != MISSING:
                raise
            return True
        return bool(getattr(now, "status", "") in {"DELETED", "SOFT_DELETED"})

    return attempt(f"look for {thing.name}", cloud.where, look)


def remove_all(things: Iterable[Thing], cloud: Cloud, seconds: float) -> list[str]:
    """Remove things of one run, kind by kind, all of a kind at once; what went wrong."""
    errors: list[str] = []
    left = list(things)
    for kind in reversed(KINDS):
        jobs = {
            thing.name: lambda thing=thing: _told(thing, cloud, seconds)
            for thing in left
            if thing.kind == kind
        }
        errors += [said for said in all_at_once(jobs).values() if said]
    return errors


def _told(thing: Thing, cloud: Cloud, seconds: float) -> str:
    try:
        remove(thing, cloud, seconds)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest must go too
        return f"{thing.kind} {thing.name}: {getattr(error, 'what', error)}"
    return ""
