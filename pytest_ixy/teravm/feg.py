"""The upgrade of a FEG: its compose project at the build asked for, or as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import IxyError, LabError, TargetError
from pytest_ixy.labtable import FegTable
from pytest_ixy.printable import one_line
from pytest_ixy.remote import Host
from pytest_ixy.teravm import blame, health
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.errand import Errand
from pytest_ixy.teravm.project import Project
from pytest_ixy.teravm.tag import Tag

Tell = Callable[[str], None]
_ABSENT = re.compile(r"\b404\b")
"""What curl and wget say when the server has no such file."""


def upgrade(feg: Host, table: FegTable, tag: Tag, log: Path, tell: Tell) -> Done:
    """Bring the compose project up with the build's images.

    When anything fails, or is interrupted, its files are put back and the version before is brought up. Where
    that cannot be done (the connection is gone), the files that were set aside stay there, and the next
    upgrade puts them back first.

    Raises:
        TargetError: the build cannot be had or brought up; says what became of the version before.
        LabError: the host, the network, or what runs containers was in the way; says the same.
    """
    errand = Errand.begin(feg, log, timespan.parse(table.install).total_seconds(), root=table.root)
    project = Project(errand, table)
    notes = [_recovered(project)]
    project.must("check", SOURCE=_source(table, tag))
    before = project.version()
    notes.append(_pruned(project, tell))
    try:
        project.must("backup", "setting files aside")
        _change(project, tag, tell)
        project.must("forget", "removing files set aside")
    except IxyError as error:
        raise _rolled_back(project, before, error, tell) from error
    except BaseException:
        errand.note(_roll_back(project, before, tell))
        raise
    numbers = {"before": before or "none", "after": tag.hash}
    notes = [note for note in notes if note]
    return Done(f"{table.name} {numbers['before']} → {tag.hash}", numbers, notes=tuple(notes))


def _source(table: FegTable, tag: Tag) -> str:
    return (table.file or "").replace("{hash}", tag.hash)


def _recovered(project: Project) -> str:
    """Put back what an upgrade left that was cut off."""
    if "recovered" not in project.must("recover", "looking for what an upgrade left that was cut off").lines:
        return ""
    return "an upgrade before was cut off; its compose file and .env were put back first"


def _pruned(project: Project, tell: Tell) -> str:
    """Make room while the version before still runs: so its images stay, for it to be brought up again."""
    full = project.full()
    if full < project.table.prune_at:
        return ""
    tell(f"disk {full} % full, removing unused images")
    done = project.act("prune", "docker image prune -a -f")
    if not done.ok:
        return f"the disk was {full} % full, but unused images could not be removed"
    return f"the disk was {full} % full: unused images were removed, now it is {project.full()} %"


def _change(project: Project, tag: Tag, tell: Tell) -> None:
    compose, source = " ".join(project.table.compose), _source(project.table, tag)
    tell("taking the version before down")
    project.must("down", f"{compose} down")
    _do(project, "set_version", f"{project.table.variable}={tag.hash}", HASH=tag.hash)
    if source:
        tell("fetching the compose file")
        _do(project, "fetch", f"fetching {one_line(source)}", SOURCE=source)
    tell(f"pulling images of {tag.hash}")
    _do(project, "pull", f"{compose} pull")
    tell("bringing it up")
    _do(project, "up", f"{compose} up -d")


def _do(project: Project, action: str, title: str, **variables: str) -> None:
    """Do one action; what it says when it fails tells whose fault it is."""
    answer = project.act(action, title, **variables)
    if answer.ok:
        return
    own = action in {"pull", "up"} or (action == "fetch" and _ABSENT.search(answer.text))
    kind = TargetError if own and not blame.of_lab(answer.text) else LabError
    raise kind(project.errand.words(f"`{title}` failed.", answer.text))


def _rolled_back(project: Project, before: str, error: IxyError, tell: Tell) -> IxyError:
    """The same error, which also says what became of the version before."""
    words = _roll_back(project, before, tell)
    kind = TargetError if isinstance(error, TargetError) else LabError
    return kind(f"{error.what}\nAfter that: {words}", hint=error.hint)


def _roll_back(project: Project, before: str, tell: Tell) -> str:
    """Put the files back and bring that version up; in words how it went."""
    table, named = project.table, before or "the version before"
    if project.errand.host.lost:
        return f"{named} could NOT be brought back; the next upgrade puts its files back first."
    tell(f"rolling back to {named}")
    again = Project(project.errand.again(), table)
    try:
        again.must("restore", "putting files back")
        again.must("up", f"{' '.join(table.compose)} up -d")
    except IxyError as error:
        return f"rolling back to {named} FAILED: {error.what}"
    try:
        health.running(project.errand.host, table, project.errand.log, tell, before)
    except IxyError as error:
        return f"it was rolled back to {named}, which is NOT up: {error.what}"
    return f"it was rolled back to {named}, which is up."
