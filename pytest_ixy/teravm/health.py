"""Whether what was upgraded runs, at the version asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import AgwTable, FegTable
from pytest_ixy.printable import one_line
from pytest_ixy.remote import Host
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.errand import Errand
from pytest_ixy.teravm.project import Container, Project, State
from pytest_ixy.teravm.tag import Tag
from pytest_ixy.teravm.vigil import Part, Watch

LOOK = 60.0
"""Seconds that one look may take."""
_PID = re.compile(r"\b(?:pid|process)\D{0,3}(\d+)|\((\d+)\)", re.IGNORECASE)
_SERVICES = r"""
set -f
for name in $SERVICES; do
    said=$(timeout 20 service "$name" status </dev/null 2>&1)
    status=$? mark=
    if [[ -d /run/systemd/system ]]; then
        said=$(systemctl show -p ActiveState -p SubState --value -- "$name" | xargs)
        mark=$(systemctl show -p MainPID -p NRestarts -p ActiveEnterTimestampMonotonic -- "$name" | xargs)
    fi
    said=${said//[$'\r\n']/ }
    printf 'ixy: service %s|%s|%s|%s\n' "$name" "$status" "$mark" "${said:0:150}"
done
dpkg-query -W -f 'ixy: version ${db:Status-Status} ${Version}\n' "$PACKAGE" 2>/dev/null
exit 0
"""
_JOURNAL = 'journalctl -q -n 10 --no-pager -o cat -u "$NAME"'


def agw(host: Host, table: AgwTable, tag: Tag, log: Path, tell: Callable[[str], None]) -> Done:
    """Wait until the services of `[lab.agw]` are up and stay so, and the package has the version.

    Raises:
        TargetError: a service is not up in time; with its last words.
        LabError: the host is lost, or has another version.
    """

    def look() -> list[Part]:
        errand = Errand.begin(host, log, LOOK, root=table.root)
        services = " ".join(table.services)
        answer = errand.run(_SERVICES, "status of services", SERVICES=services, PACKAGE=table.package)
        found = [line for line in answer.lines if line.startswith("service ")]
        if len(found) != len(table.services):
            raise errand.trouble("the state of services could not be asked for.", answer.text)
        return [_version(table, tag, answer.lines), *map(_service, found)]

    def says(name: str) -> str:
        errand = Errand.begin(host, log, LOOK, root=table.root)
        answer = errand.run(_JOURNAL, f"journal of {name}", NAME=name) if name in table.services else None
        return answer.last if answer and answer.ok else ""

    seconds = Watch(host, timespan.parse(table.health).total_seconds(), look, tell, says).keep()
    title = f"{', '.join(table.services)} up, {table.package} at {tag.version}"
    return Done(title, {"services": len(table.services), "seconds": round(seconds, 1)})


def _version(table: AgwTable, tag: Tag, lines: list[str]) -> Part:
    said = [line for line in lines if line.startswith("version ")]
    found = said[-1].removeprefix("version ") if said else "not installed"
    return Part(table.package, found == f"installed {tag.version}", f"{found}, not {tag.version}", ours=False)


def _service(line: str) -> Part:
    name, status, mark, said = (*line.removeprefix("service ").split("|", 3), "", "", "", "")[:4]
    pid = _PID.search(said)
    state = said.strip() or f"status {status}"
    return Part(
        name, status == "0", state if mark else f"{state} (status {status})", mark or (pid[0] if pid else "")
    )


def feg(host: Host, table: FegTable, tag: Tag, log: Path, tell: Callable[[str], None]) -> Done:
    """Wait until all services of the compose project run and stay so, with images of the build.

    Every service has to run: one that ends by itself, even well, counts as down.

    Raises:
        TargetError: a service is not up in time, or no image is of this build; with last words.
        LabError: the host is lost, compose cannot tell, or .env names another build.
    """
    seconds, state = running(host, table, log, tell, tag.hash)
    title = f"{len(state.services)} services up, {table.variable}={tag.hash}"
    return Done(title, {"services": len(state.services), "seconds": round(seconds, 1)})


def running(
    host: Host, table: FegTable, log: Path, tell: Callable[[str], None], version: str
) -> tuple[float, State]:
    """Wait until the project runs at that version; how long it took, and what runs. Errors as of `feg`."""
    states: list[State] = []

    def project() -> Project:
        return Project(Errand.begin(host, log, LOOK, root=table.root), table)

    def look() -> list[Part]:
        state = project().look()
        states[:] = [state]
        return _parts(host, table, state, version)

    def says(name: str) -> str:
        return project().words(name) if name in states[0].services else ""

    seconds = Watch(host, timespan.parse(table.health).total_seconds(), look, tell, says).keep()
    return seconds, states[0]


def _parts(host: Host, table: FegTable, state: State, version: str) -> list[Part]:
    if not state.services:
        raise LabError(f"node {host.name}: the compose project in {table.folder} has no services.")
    named = Part(table.variable, state.version == version, f"{state.version!r}, not {version!r}", ours=False)
    images = {one.image for one in state.containers}
    of_build = not version or any(image.endswith(f":{version}") for image in images)
    what = f"none of {', '.join(sorted(images))[:200] or 'no images'} is of build {version}"
    parts = [named, Part("images", of_build, what)]
    return parts + [_container(name, state) for name in state.services]


def _container(name: str, state: State) -> Part:
    """A service is up when all its containers run, of the image it should be, and none finds itself ill."""
    found = [one for one in state.containers if one.service == name]
    wrong = [words for one in found if (words := _wrong(one, state))]
    words = "; ".join(wrong) or ("running" if found else "no container")
    return Part(name, bool(found) and not wrong, one_line(words)[:200], " ".join(one.mark for one in found))


def _wrong(one: Container, state: State) -> str:
    if one.status != "running":
        return f"{one.status} (exit code {one.code})"
    if one.health not in {"", "none", "healthy"}:
        return one.health
    if state.images and one.image not in state.images:
        return f"running, but of image {one.image}"
    return ""
