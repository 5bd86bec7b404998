"""What a cloud may answer instead of doing it: what will pass is tried again, the rest is put into words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pytest_ixy.errors import IxyError, LabError, UsageError
from pytest_ixy.printable import one_line

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries of what may pass."""
SHOWN = 400
ROOM = (
    "remove what is not needed (pytest-ixy sweep), or have the quota raised; a run needs three servers, "
    "three networks and ports for seven NICs"
)
"""What to do about a quota."""

UNAUTHORIZED, FORBIDDEN, MISSING, CONFLICT, TOO_LARGE, BUSY = 401, 403, 404, 409, 413, 429
FIRST_SERVER_ERROR = 500


def status(error: BaseException) -> int | None:
    """The HTTP status that the error tells, if any."""
    found = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return found if isinstance(found, int) else None


def words(error: BaseException) -> str:
    """What the cloud says, in one line that is not too long."""
    said = getattr(error, "details", None) or getattr(error, "message", None) or str(error)
    return one_line(str(said).strip())[:SHOWN] or type(error).__name__


def is_unreached(error: BaseException) -> bool:
    """Whether no answer came at all."""
    from keystoneauth1 import exceptions

    unreached = (exceptions.ConnectionError, exceptions.DiscoveryFailure, OSError)
    return isinstance(error, unreached) and status(error) is None


def is_passing(error: BaseException) -> bool:
    """Whether the same may work a moment later."""
    from keystoneauth1.exceptions import SSLError

    number = status(error)
    if number is None:
        return is_unreached(error) and not isinstance(error, SSLError)
    return number >= FIRST_SERVER_ERROR or number == BUSY


def is_quota(error: BaseException) -> bool:
    """Whether the project may not have more: each service says it with another status."""
    said = words(error).lower()
    return status(error) in {FORBIDDEN, CONFLICT, TOO_LARGE} and ("quota" in said or "limit" in said)


def attempt(doing: str, where: str, work: Callable[[], T], pauses: tuple[float, ...] = PAUSES) -> T:
    """Do it, again after each pause while the cause may pass.

    Args:
        doing: What is done, such as `make the network x`.
        where: The cloud, in words.
        work: Does it; must be fit to be done again.
        pauses: Seconds before each further try.

    Raises:
        IxyError: the cloud did not do it.
    """
    for pause in (*pauses, None):
        try:
            return work()
        except Exception as error:  # whatever the libraries raise
            if pause is None or not is_passing(error):
                raise explained(error, doing, where) from error
        time.sleep(pause)
    raise AssertionError("the last pause is None")


def explained(error: Exception, doing: str, where: str) -> IxyError:
    """The error in words: what happened, and what to do."""
    from openstack.exceptions import ConfigException

    if isinstance(error, IxyError):
        return error
    said = words(error)
    if isinstance(error, ConfigException):
        return UsageError(f"{said}.", hint="see docs/providers/openstack.md for clouds.yaml and config.toml")
    if is_quota(error):
        return LabError(
            f"The quota of the project does not allow to {doing}: {said}",
            hint=ROOM,
        )
    if is_unreached(error):
        return LabError(
            f"Cannot {doing}: {where} does not answer: {said}",
            hint="check auth_url and the way there (VPN, proxy, CA certificate), then run it again",
        )
    return _by_status(status(error), f"Cannot {doing} in {where}", said)


def _by_status(number: int | None, what: str, said: str) -> IxyError:
    if number == UNAUTHORIZED:
        return UsageError(
            f"{what}: the log-in is refused (401): {said}",
            hint="check user_name, user_domain, password, project_name and project_domain",
        )
    if number == FORBIDDEN:
        return LabError(
            f"{what}: it is forbidden (403): {said}",
            hint="the user needs the role member in the project. Port security of a network of somebody "
            "else's is for its owner to switch off: name networks of the project, or leave them to be made",
        )
    if number is not None and number >= FIRST_SERVER_ERROR:
        tries = len(PAUSES) + 1
        return LabError(
            f"{what}: the cloud failed {tries} times, at last with {number}: {said}",
            hint="run it again later; if it stays so, tell those who run the cloud",
        )
    return LabError(
        f"{what}: {said}" + (f" ({number})" if number else ""),
        hint="see docs/providers/openstack.md, and what the cloud's own page says of it",
    )
