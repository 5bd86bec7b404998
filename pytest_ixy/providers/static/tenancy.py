"""The lease on one host: taken, kept by a heartbeat, given back. `lease.bash` does it there."""

from __future__ import annotations

import getpass
import platform
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pytest_ixy import source
from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.providers.static.answers import Sight, Taken, sight, taken, untidy
from pytest_ixy.remote import Access, Host
from pytest_ixy.settings import Settings

FOLDER = "/run/pytest-ixy"
EXPIRY = 60
"""Seconds without a heartbeat after which a lease's owner counts as dead."""
TIMEOUT = 180.0
"""Seconds that a host may take to answer; it may have a dead run's processes to end."""
VARIABLE = "PYTEST_IXY_LEASE"
"""Every command that is run under a lease has its token in this variable, by which it is found."""
UNFIT = re.compile(r"[^A-Za-z0-9_.@:-]")
LINES = 200
AT_HOME = re.compile(r"ixy:([0-9A-Fa-f.:]*)\S* (/.*)")
GUARD = """
{{ IFS= read -r ixy_token <{file}; }} 2>/dev/null
[[ $ixy_token == {token} ]] || {{ echo "ixy: refused this run's lease of the host was lost" >&2; exit 1; }}
unset ixy_token"""
"""Whose lease was taken over starts nothing more: not even in the seconds before a heartbeat tells."""


@dataclass(frozen=True)
class Claim:
    """What a run needs to ask for the lease of one host, and to free it from another process.

    Attributes:
        access: The way to the host.
        token: The same for all hosts of a testbed; nobody else has it.
        run: The run's id.
        purpose: What it is for, in words.
        nics: PCI or MAC addresses.
        peer: The address that the host knows us by; empty while it is not known.
        place: Absolute path of the run's folder on the host; empty while it is not known.
        expiry: Seconds; see `EXPIRY`.
        folder: Where the lease lies.
        root: Whether the lease is root's, as everything is that is put back.
        bare: Whether the host's state is nobody's business: it is not put back.
    """

    access: Access
    token: str
    run: str
    nics: tuple[str, ...]
    purpose: str = ""
    peer: str = ""
    place: str = ""
    expiry: int = EXPIRY
    folder: str = FOLDER
    root: bool = True
    bare: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The same as plain types that JSON knows."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Claim:
        """What `as_dict` gave, as a `Claim` again."""
        return cls(**{**data, "access": Access.from_dict(data["access"]), "nics": tuple(data["nics"])})

    def housed(self, host: Host) -> Claim:
        """With what only the host can tell; LabError when the user has no home there."""
        said = host.run("printf '%s\\n' \"ixy:${SSH_CONNECTION%% *} $HOME\"", timeout=TIMEOUT)
        found = [form for line in said.output.splitlines() if (form := AT_HOME.fullmatch(line))]
        if not found:
            raise LabError(f"node {self.access.name}: {self.access.address} has no home folder.")
        peer, home = found[-1].groups()
        return replace(self, peer=peer, place=f"{home}/.cache/pytest-ixy/{self.run}/{self.access.name}")

    def way(self) -> Access:
        """The way to the leased host for whoever runs something there; closed once the lease is lost."""
        guard = GUARD.format(file=shlex.quote(f"{self.folder}/lease"), token=self.token)
        return replace(self.access, folder=self.place, environment={VARIABLE: self.token}, guard=guard)

    def take(self, host: Host) -> Taken:
        """Ask for the lease; LabError when the host cannot tell."""
        lines = self._ask(host, "take")
        answer = taken(lines)
        if answer is None:
            raise self._failure("; ".join(lines[-3:]))
        return answer

    def look(self, host: Host, programs: Iterable[str]) -> Sight:
        """What the host is like, without leasing it; LabError when it cannot tell."""
        lines = self._ask(host, "look", PROGRAMS=" ".join(programs))
        if "looked" not in lines:
            raise self._failure("; ".join(lines[-3:]))
        return sight(lines)

    def free(self, host: Host) -> tuple[bool, tuple[str, ...]]:
        """Give the lease back and put the host in order; whether it was ours, and what could not be."""
        lines = self._ask(host, "free")
        if not {"freed", "other"} & set(lines):
            raise self._failure("; ".join(lines[-3:]))
        return "freed" in lines, untidy(lines)

    def _ask(self, host: Host, action: str, **more: str) -> list[str]:
        given = {**more, "ACTION": action, "FOLDER": self.folder, "TOKEN": self.token, "RUN": self.run}
        given |= {"NODE": self.access.name, "OWNER": owner(), "EXPIRY": str(self.expiry), "PLACE": self.place}
        given |= {"NICS": " ".join(self.nics), "PEER": self.peer, "PURPOSE": self.purpose}
        given |= {"BARE": "yes" if self.bare else ""}
        all_of_it = "".join(map(script, ("state.bash", "nics.bash", "lease.bash")))
        done = host.run(all_of_it, timeout=TIMEOUT, root=self.root, environment=given)
        lines = [one_line(line)[:300] for line in done.output.splitlines()[:LINES]]
        if not done.ok:
            raise self._failure("; ".join(lines[-3:]) or "no answer in time")
        return lines

    def _failure(self, why: str) -> LabError:
        return LabError(f"node {self.access.name}: {self.access.address} cannot be leased: {why}")


def owner() -> str:
    """Who we are, for others who wait: user@machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        user = "somebody"
    return UNFIT.sub("_", f"{user}@{platform.node()}")[:100]


def purpose(settings: Settings) -> str:
    """What the run is for, for others who wait: the scenario and the repository, without its credentials."""
    of = f" of {source.parse(settings.repo).shown}" if settings.repo else ""
    return one_line(settings.scenario + of)[:100]


@cache
def script(name: str) -> str:
    """A script of this folder."""
    return files("pytest_ixy.providers.static").joinpath(name).read_text(encoding="utf-8")
