"""apt on a host: its locks waited for, its failures told apart."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_ixy.errors import IxyError, LabError, TargetError
from pytest_ixy.teravm import blame
from pytest_ixy.teravm.errand import Answer, Errand

LOCK = 30
"""Seconds for which apt waits for a lock by itself; old ones do not, and none does for every lock."""
PAUSE = 2.0
_PLANNED = re.compile(r"^(Inst|Conf|Remv) ([^\s:]+)", re.MULTILINE)
_UNMET = re.compile(r"unmet dependencies|unable to satisfy dependencies", re.IGNORECASE)
_BROKEN = re.compile(r"^Errors were encountered while processing:\n((?: .*\n?)+)", re.MULTILINE)
_HOW = ["-f", "-y", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confnew"]
_VERSION = "dpkg-query -W -f 'ixy: ${db:Status-Status} ${Version}\\n' \"$PACKAGE\" 2>/dev/null; true"


@dataclass(frozen=True)
class Plan:
    """What apt would do: packages that it would change, and those that it would remove."""

    changed: frozenset[str]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Apt:
    """apt-get and dpkg.

    Attributes:
        errand: Runs them.
        tell: Told while another program has the lock.
        notes: What was met on the way.
    """

    errand: Errand
    tell: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def installed(self, package: str) -> str:
        """The version that is installed; empty where none is, or where it is only half so.

        Raises:
            LabError: the host is lost.
        """
        said = self.errand.run(_VERSION, f"dpkg-query {package}", PACKAGE=package).lines
        words = said[-1].split() if said else []
        return words[1] if len(words) == 2 and words[0] == "installed" else ""  # noqa: PLR2004 - status, version

    def update(self) -> Answer:
        """`apt-get update`; LabError when it fails. A source that cannot be reached is in its output only."""
        answer = self._get(["update", "-q"])
        if not answer.ok:
            raise self.errand.trouble("`apt-get update` failed.", answer.text)
        return answer

    def plan(self, package: str, version: str) -> Plan:
        """What an installation would change.

        Raises:
            TargetError: the package's dependencies cannot be met.
            LabError: apt cannot tell, for any other reason.
        """
        answer = self._get(["install", "-s", *_HOW, f"{package}={version}"])
        if not answer.ok:
            unmet = _UNMET.search(answer.text) and _depends(package, answer.text)
            kind = TargetError if unmet else LabError
            why = "its dependencies are not met" if unmet else "apt cannot tell what it takes"
            raise kind(self.errand.words(f"{package} {version} cannot be installed: {why}.", answer.text))
        found = _PLANNED.findall(answer.text)
        removed = tuple(name for what, name in found if what == "Remv")
        return Plan(frozenset(name for what, name in found if what != "Remv"), removed)

    def download(self, package: str, version: str) -> None:
        """Fetch all that an installation needs; LabError when that fails, as a mirror's or a disk's fault."""
        answer = self._get(["install", "--download-only", *_HOW, f"{package}={version}"])
        if not answer.ok:
            raise self.errand.trouble(f"{package} {version} could not be fetched.", answer.text)

    def install(self, package: str, version: str, changed: frozenset[str]) -> None:
        """Install what has been fetched.

        Raises:
            TargetError: the package, or one of `changed` that it needs, cannot be unpacked or configured.
            LabError: it failed for any other reason.
        """
        answer = self._get(["install", *_HOW, f"{package}={version}"])
        if answer.ok:
            self._once(["clean"])  # unlike apt, apt-get keeps what it fetched, and a build comes every day
            return
        own = not blame.of_machine(answer.text) and _broken(answer.text) & (changed | {package})
        kind = TargetError if own else LabError
        raise kind(self.errand.words(f"{package} {version} could not be installed.", answer.text))

    def put_back(self, package: str, version: str) -> str:
        """Install the version that there was before; in words how that went."""
        if not version:
            return f"{package} was not installed before, so nothing was put back"
        try:
            if self.installed(package) == version:
                return f"{package} is still at {version}"
            answer = self._get(["install", *_HOW, f"{package}={version}"])
            done = answer.ok and self.installed(package) == version
        except IxyError as error:
            return f"{package} could NOT be put back to {version}: {error.what}"
        if done:
            return f"{package} was put back to {version}"
        return f"{package} could NOT be put back to {version}:\n{answer.last}"

    def _get(self, arguments: list[str]) -> Answer:
        """Run apt-get; once more when another program had the lock, or a dpkg before was cut off."""
        answer = self._once(arguments)
        while not answer.ok and blame.LOCKED.search(answer.text) and self.errand.left > PAUSE:
            self.tell("waiting for another apt")
            time.sleep(PAUSE)
            answer = self._once(arguments)
        if not answer.ok and blame.INTERRUPTED.search(answer.text):
            self.notes.append("dpkg had been interrupted before; `dpkg --configure -a` was run")
            self.errand.run(_shelled(["dpkg", "--configure", "-a"]), "dpkg --configure -a")
            answer = self._once(arguments)
        return answer

    def _once(self, arguments: list[str]) -> Answer:
        wait = max(1, min(LOCK, int(self.errand.left)))
        command = ["apt-get", "-o", f"DPkg::Lock::Timeout={wait}", *arguments]
        return self.errand.run(_shelled(command), shlex.join(command))


def _shelled(command: list[str]) -> str:
    """What a package starts belongs to the host: it shall not be ended with our lease."""
    return f"unset PYTEST_IXY_LEASE\nDEBIAN_FRONTEND=noninteractive exec {shlex.join(command)}"


def _depends(package: str, text: str) -> bool:
    """Whether apt speaks of what that package needs: another one's troubles are not its fault."""
    name = re.escape(package)
    return bool(re.search(rf"^ {name}(?::\S+)? : |\b{name}(?::\S+)? Depends ", text, re.MULTILINE))


def _broken(text: str) -> frozenset[str]:
    """Packages, or the files of packages, that dpkg says it failed with, by the packages' names."""
    named = "".join(_BROKEN.findall(text)).split()
    return frozenset(name.rpartition("/")[2].partition("_")[0].partition(":")[0] for name in named)
