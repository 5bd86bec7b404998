"""The upgrade of an AGW: its package at the version asked for, its services started anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import IxyError, LabError, TargetError
from pytest_ixy.labtable import AgwTable
from pytest_ixy.remote import Host
from pytest_ixy.teravm.apt import Apt
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.errand import Errand
from pytest_ixy.teravm.tag import Tag

_UNKNOWN = re.compile(r"Unit \S+ (?:not found|could not be found|not loaded)|unrecognized service")
_FORBIDDEN = re.compile(r"authentication (?:is )?required|access denied|permission denied", re.IGNORECASE)
_RESTART = 'unset PYTEST_IXY_LEASE; service "$NAME" restart'


def upgrade(agw: Host, table: AgwTable, tag: Tag, log: Path, tell: Callable[[str], None]) -> Done:
    """Install the version and restart the services of `[lab.agw]`.

    What fails or is interrupted leaves the AGW, where that is possible, at the version that it had.

    Raises:
        TargetError: the package cannot be installed, or a service does not start with it.
        LabError: apt, the network, the disk or the connection was in the way.
    """
    errand = Errand.begin(agw, log, timespan.parse(table.install).total_seconds(), root=table.root)
    apt = Apt(errand, tell)
    before = apt.installed(table.package)
    numbers = {"before": before or "none", "after": tag.version}
    if before == tag.version:
        _restart(errand, table, tell)
        title = f"{table.package} was at {tag.version} already; only its services were restarted"
        return Done(title, numbers, notes=tuple(apt.notes))
    removed = _install(apt, table, tag, before, tell)
    notes = (*apt.notes, *([f"apt removed {', '.join(removed)}"] if removed else []))
    return Done(f"{table.package} {numbers['before']} → {tag.version}", numbers, notes=notes)


def _install(
    apt: Apt, table: AgwTable, tag: Tag, before: str, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """All of it; the packages that were removed."""
    if not table.root:
        hint = "root = false in [lab.agw] says that the user may not"
        raise apt.errand.trouble(f"only root can install {tag.version}.", hint=hint)
    tell(f"apt: planning {tag.version}")
    plan = apt.plan(table.package, tag.version)
    tell("apt: fetching")
    apt.download(table.package, tag.version)
    try:
        tell("apt: installing")
        apt.install(table.package, tag.version, plan.changed)
        _restart(apt.errand, table, tell)
    except IxyError as error:
        raise _rolled_back(apt, table, before, error, tell) from error
    except BaseException:
        apt.errand.note(_roll_back(apt, table, before, tell))
        raise
    return plan.removed


def _rolled_back(
    apt: Apt, table: AgwTable, before: str, error: IxyError, tell: Callable[[str], None]
) -> IxyError:
    """The same error, which also says what became of the version before."""
    words = _roll_back(apt, table, before, tell)
    kind = TargetError if isinstance(error, TargetError) else LabError
    return kind(f"{error.what}\nAfter that: {words}", hint=error.hint)


def _roll_back(apt: Apt, table: AgwTable, before: str, tell: Callable[[str], None]) -> str:
    """Install the version before and restart its services; in words how that went."""
    if apt.errand.host.lost:
        return f"the version before ({before or 'none'}) could not be put back"
    tell("apt: putting the version before back")
    errand = apt.errand.again()
    words = Apt(errand, tell).put_back(table.package, before)
    if " NOT " in words or not before:
        return words
    try:
        _restart(errand, table, tell)
    except IxyError as second:
        return f"{words}, but: {second.what}"
    return words


def _restart(errand: Errand, table: AgwTable, tell: Callable[[str], None]) -> None:
    """Restart the services.

    Raises:
        TargetError: one does not start.
        LabError: there is no such service, or the user may not restart it.
    """
    for name in table.restart:
        tell(f"restarting {name}")
        answer = errand.run(_RESTART, f"service {name} restart", NAME=name)
        if not answer.ok:
            forbidden = not table.root and _FORBIDDEN.search(answer.text)
            kind = LabError if forbidden or _UNKNOWN.search(answer.text) else TargetError
            raise kind(errand.words(f"service {name} could not be restarted.", answer.text))
