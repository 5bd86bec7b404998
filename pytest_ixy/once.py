"""Have every target built, and each of those that allow it only once: on one node, or in an earlier run.

A target allows it by `build_once` in its `ixy-ci.toml`. Whatever goes wrong with handing a build over, or
with a kept one, the nodes that are left build by themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy import build, kept
from pytest_ixy.alike import Batch, Where, batches
from pytest_ixy.build import Programs, Work, folder_name, log_of
from pytest_ixy.bundle import Build
from pytest_ixy.errors import LabError
from pytest_ixy.kept import KeptBuild, Taken
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Host
from pytest_ixy.settings import Settings
from pytest_ixy.testbed import Hosts, close

FRESH = "fresh"


@dataclass(frozen=True)
class Site:
    """Where is built.

    Attributes:
        hosts: The nodes.
        where: What they have in common.
        programs: What is to be built for them, by role.
        settings: What the user asked for.
        scratch: Folder of this run, made when it is not there yet.
        folder: The bundle's.
        progress: Told about everything.
    """

    hosts: Hosts
    where: Where
    programs: Programs
    settings: Settings
    scratch: Path
    folder: Path
    progress: Progress


def make(site: Site) -> dict[str, Build]:
    """Send and build everything; a failed build is an answer, not an error.

    Raises:
        LabError: a node was lost.
    """
    site.scratch.mkdir(parents=True, exist_ok=True)
    shared = _batches(site)
    done = _from_earlier_runs(site, shared)
    left = [batch for batch in shared if batch.first not in done]
    waiting = {role for batch in left for role in batch.others}
    done |= _build(site, site.programs.keys() - done.keys() - waiting)
    for batch in left:
        done |= _share(site, batch, done[batch.first])
    done |= _build(site, site.programs.keys() - done.keys())
    return _set_up(site, {role: done[role] for role in site.programs})


def _batches(site: Site) -> list[Batch]:
    if not any(target.spec.build_once for target in site.programs.values()):
        return []
    with site.progress.phase("compare"):
        return batches(site.hosts, site.programs, site.where)


def _build(site: Site, roles: Iterable[str]) -> dict[str, Build]:
    """Send the sources to those nodes and build there."""
    chosen = set(roles)
    if not chosen:
        return {}
    programs = {role: target for role, target in site.programs.items() if role in chosen}
    build.send(site.hosts, programs, site.scratch, site.progress)
    return _work(site, "build", {role: target.spec.build for role, target in programs.items()})


def _work(site: Site, name: str, commands: Mapping[str, tuple[str, ...]]) -> dict[str, Build]:
    works = {role: Work(folder_name(site.programs[role]), words) for role, words in commands.items()}
    return build.work(name, site.hosts, works, site.folder, site.settings.timeouts.build, site.progress)


def _set_up(site: Site, made: dict[str, Build]) -> dict[str, Build]:
    """Run what every node needs in every run, where the build was a success."""
    commands = {role: site.programs[role].spec.setup for role, one in made.items() if one.ok}
    wanted = {role: words for role, words in commands.items() if words}
    done = _work(site, "setup", wanted) if wanted else {}
    return {
        role: one.model_copy(update={"steps": (*one.steps, *done[role].steps)}) if role in done else one
        for role, one in made.items()
    }


def _from_earlier_runs(site: Site, shared: list[Batch]) -> dict[str, Build]:
    """Send kept builds to the nodes they are for."""
    done: dict[str, Build] = {}
    for batch in shared if site.settings.build != FRESH else ():
        taken = kept.take(batch.name, site.scratch, site.progress.say) if batch.name else None
        if taken is not None:
            done |= _use(site, batch, taken)
    return done


def _use(site: Site, batch: Batch, taken: Taken) -> dict[str, Build]:
    with site.progress.phase("send"):
        site.progress.tell("a kept build")
        whole = _unpack(site, batch, batch.roles, taken.archive)
    if len(whole) < len(batch.roles):
        kept.discard(str(batch.name), site.progress.say)
        return {}
    about = taken.record
    title = f"(built on {about.made:%Y-%m-%d at %H:%M} UTC, and kept; what was said then:)\n"
    return {
        role: Build(steps=about.steps, log=_write_log(site, role, title, taken.log), kept=about.made)
        for role in batch.roles
    }


def _share(site: Site, batch: Batch, made: Build) -> dict[str, Build]:
    """Hand over and keep what the first node built; a failed build is the others' too."""
    log = _end_of(site.folder / made.log)
    others = _hand_over(site, batch, made, log) if made.ok else batch.others
    title = f"(built on the node of {batch.first}; what was said there:)\n"
    return {
        role: made.model_copy(
            update={"log": _write_log(site, role, title, log), "made_on": batch.first},
        )
        for role in others
    }


def _hand_over(site: Site, batch: Batch, made: Build, log: bytes) -> tuple[str, ...]:
    """The roles of those nodes that have got it."""
    archive = _fetch(site, batch) if batch.others or batch.name else None
    if archive is None:
        return ()
    with site.progress.phase("hand over"):
        whole = _unpack(site, batch, batch.others, archive)
    if batch.name and whole == batch.others:
        about = KeptBuild(
            label=batch.target.record.label,
            image=str(site.where.provider.image),
            made=datetime.now(UTC),
            steps=made.steps,
        )
        _keep(site, batch.name, Taken(about, archive, log))
    return whole


def _fetch(site: Site, batch: Batch) -> Path | None:
    """What the first node built, packed; None where it cannot be had."""
    host, archive = site.hosts[batch.first], site.scratch / f"built-{batch.first}.tar.zst"
    try:
        with site.progress.phase("pack"):
            host.pack(folder_name(batch.target), archive, timeout=build.UPLOAD_TIMEOUT, limit=kept.LARGEST)
    except LabError as error:
        if host.lost:
            raise
        site.progress.say(f"The build is not shared or kept: {error.what}")
        return None
    return archive


def _unpack(site: Site, batch: Batch, roles: tuple[str, ...], archive: Path) -> tuple[str, ...]:
    """Unpack a build on nodes; the roles of those where all went well."""
    folder = folder_name(batch.target)
    jobs = {role: lambda role=role: _unpacked(site.hosts[role], archive, folder) for role in roles}
    well = all_at_once(jobs, abort=lambda: close(site.hosts))
    return tuple(role for role in roles if well[role])


def _unpacked(host: Host, archive: Path, folder: str) -> bool:
    try:
        host.unpack(archive, folder, timeout=build.UPLOAD_TIMEOUT)
    except LabError:
        if host.lost:
            raise
        host.run(f"rm -rf -- {shlex.quote(folder)}", timeout=build.UPLOAD_TIMEOUT, root=True)
        return False
    return True


def _keep(site: Site, name: str, taken: Taken) -> None:
    """Keep it, which is no part of any verdict: where it cannot be, the next run builds again."""
    try:
        kept.keep(name, taken, site.scratch)
    except OSError as error:
        site.progress.say(f"The build could not be kept: {error}")


def _end_of(log: Path) -> bytes:
    """As much of a log as is copied."""
    if not log.exists():
        return b""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - kept.LOG_LIMIT))
        return stream.read()


def _write_log(site: Site, role: str, title: str, said: bytes) -> str:
    log = log_of(role)
    (site.folder / log).parent.mkdir(parents=True, exist_ok=True)
    (site.folder / log).write_bytes(title.encode() + said)
    return str(log)
