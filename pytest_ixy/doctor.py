"""What this machine lacks for a run; every check is a small function that changes nothing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pytest_ixy import check, paths, programs, sweep
from pytest_ixy.check import Check, State
from pytest_ixy.errors import IxyError
from pytest_ixy.options import TERAVM
from pytest_ixy.providers.openstack import checks as openstack
from pytest_ixy.providers.qemu import checks as qemu
from pytest_ixy.providers.static import checks as static
from pytest_ixy.settings import Settings
from pytest_ixy.teravm import checks as teravm

GIB = 1 << 30
TO_BUILD, TO_RUN = 6 * GIB, 1 * GIB
MACHINES = 3
MEASURED_MEMORY = 2.5 * GIB
"""What three machines of 2 GiB really took; the rest they never touch."""

SHOWN_PACKAGES = ("pytest", "pytest-xdist", "pytest-html")

Probe = Callable[[Settings], Check | None]


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything that a run with these settings needs, one after the other; never raises."""
    of_lab = settings.scenario == TERAVM
    for probe in (*BEFORE, *(() if of_lab else OF_PROVIDER.get(settings.provider, ())), leftovers):
        found = _guarded(probe, settings)
        if found is not None:
            yield found
    if of_lab:
        yield from teravm.examine(settings)


def _guarded(probe: Probe, settings: Settings) -> Check | None:
    name = probe.__name__.replace("_", " ")
    try:
        return probe(settings)
    except IxyError as error:
        return Check(name, State.WARN, f"could not be found out: {error.what}", mend=error.hint)
    except Exception as error:  # noqa: BLE001 - the doctor is asked when something is wrong
        return Check(name, State.WARN, f"could not be found out: {type(error).__name__}: {error}")


def can_run(found: Sequence[Check]) -> bool:
    """Whether nothing that was found is in the way of a run."""
    return all(one.state is not State.MISSING for one in found)


def packages(found: Sequence[Check]) -> list[str]:
    """The Debian packages that are missing, each once."""
    return list(dict.fromkeys(one.package for one in found if one.package))


def python(_settings: Settings) -> Check:
    """The interpreter; older ones could not have read this."""
    return check.ok("Python", f"{platform.python_version()} at {sys.executable}")


def python_packages(_settings: Settings) -> Check:
    """What pytest-ixy asks of other Python packages."""
    name = "Python packages"
    try:
        wanted = metadata.requires("pytest-ixy") or []
    except metadata.PackageNotFoundError:
        mend = f"{sys.executable} -m pip install pytest-ixy"
        return Check(name, State.MISSING, "pytest-ixy is not installed here, so pytest does not see it", mend)
    if lacking := _unmet(wanted):
        mend = f"{sys.executable} -m pip install {' '.join(repr(one) for one in lacking)}"
        return Check(name, State.MISSING, f"missing or too old: {', '.join(lacking)}", mend)
    return check.ok(name, ", ".join(f"{one} {metadata.version(one)}" for one in SHOWN_PACKAGES))


def _unmet(wanted: Sequence[str]) -> list[str]:
    from packaging.requirements import Requirement

    return [
        str(one)
        for one in map(Requirement, wanted)
        if (one.marker is None or one.marker.evaluate({"extra": ""}))
        and not one.specifier.contains(_version(one.name) or "0", prereleases=True)
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git(_settings: Settings) -> Check:
    """Git, for targets."""
    if lacking := check.lacks_program("git", "git", "targets are cloned with it"):
        return lacking
    return check.ok(
        "git", programs.output_of(["git", "--version"]).stdout.strip().removeprefix("git version ")
    )


def setpriv(_settings: Settings) -> Check:
    """Setpriv, with which everything ends when a run is killed."""
    if lacking := check.lacks_program("setpriv", "setpriv", "it ends machines when a run is killed"):
        return lacking
    return check.ok("setpriv", programs.find("setpriv"))


def disk(settings: Settings) -> Check:
    """Room in the cache folder."""
    name, folder = "disk", _existing(paths.cache_folder())
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, State.MISSING, f"{folder} may not be written to by this user", _OTHER_CACHE)
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    building = qemu.must_build(settings)
    need, purpose = (TO_BUILD, "to build the machine image") if building else (TO_RUN, "to run")
    text = f"{_gib(free)} free in {folder}, {_gib(need)} needed {purpose}"
    return Check(name, State.MISSING, text, _OTHER_CACHE) if free < need else check.ok(name, text)


_OTHER_CACHE = "export XDG_CACHE_HOME=FOLDER   # a folder of this user on a larger disk"


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def memory(settings: Settings) -> Check:
    """Memory for three machines."""
    free = min(_available(), _room_in_cgroup())
    ceiling = MACHINES * settings.qemu.memory << 20
    need = min(ceiling, MEASURED_MEMORY)
    text = f"{_gib(free)} available; three machines take about {_gib(need)}, at most {_gib(ceiling)}"
    if free >= need:
        return check.ok("memory", text)
    return Check("memory", State.WARN, f"{text}; the kernel may end a machine in the middle of a run")


def _available() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise OSError("/proc/meminfo does not say what is available")


def _room_in_cgroup() -> float:
    """What the container or service that this process is in may still take; infinite without a limit."""
    group = Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().rpartition("::")[2]
    folder = Path("/sys/fs/cgroup") / group.lstrip("/")
    try:
        limit, used = (
            (folder / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current")
        )
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return float("inf")


def _gib(number: float) -> str:
    return f"{number / GIB:.1f} GiB"


def leftovers(_settings: Settings) -> Check:
    """What killed runs left."""
    found = list(sweep.survey())
    if not found:
        return check.ok("leftovers", "no killed run has left anything")
    runs = ", ".join(one.run for one in found)
    return Check("leftovers", State.WARN, f"of {len(found)} killed: {runs}", "pytest-ixy sweep")


BEFORE: tuple[Probe, ...] = (python, python_packages, git, setpriv)
OF_PROVIDER: Mapping[str, tuple[Probe, ...]] = {
    "qemu": (*qemu.PROBES, disk, memory),
    "static": static.PROBES,
    "openstack": openstack.PROBES,
}
