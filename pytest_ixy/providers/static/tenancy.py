"""The lease on one host: taken, kept by a heartbeat, given back. `lease.bash` does it there."""

from __future__ import annotations

import getpass
import platform
import re
import shlex
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pytest_ixy import source
from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
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
class Nic:
    """A NIC as the host knows it; `mac` is None when no driver of the kernel has it."""

    pci: str
    mac: str | None


@dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        owner: user@machine.
        run: A run's id.
        purpose: What that is for, in words.
        seconds: How long already.
        waits: True for who has nothing yet, but has waited for longer, so that it is his turn.
    """

    owner: str
    run: str
    purpose: str
    seconds: int
    waits: bool = False


@dataclass(frozen=True)
class Taken:
    """The answer to who asked for a lease.

    Attributes:
        holder: Somebody else, who has it.
        dead: Who had it, had died, and was cleaned up after.
        machine: Name of this lease's host, the same for all who ask under one token.
        nics: The NICs that were asked for, by what they were asked for.
        untidy: What a dead owner left and could not be put back, in words.
        ways: NICs among those that were asked for through which the host is reached.
    """

    holder: Holder | None = None
    dead: Holder | None = None
    machine: str = ""
    nics: tuple[tuple[str, Nic | None], ...] = ()
    untidy: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


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
        said = [line.split(" ") for line in lines]
        taken = [words[1] for words in said if words[0] == "taken" and len(words) > 1]
        holders = {words[0]: _holder(words) for words in said if words[0] in {"held", "dead", "next"}}
        holder = holders.get("held") or holders.get("next")
        if not taken and holder is None:
            raise self._failure("; ".join(lines[-3:]))
        return Taken(
            holder=None if taken else holder,
            dead=holders.get("dead"),
            machine=taken[-1] if taken else "",
            nics=tuple(_nic(words) for words in said if words[0] == "nic" and len(words) > 1),
            untidy=untidy(lines),
            ways=tuple(words[1] for words in said if words[0] == "way" and len(words) > 1),
        )

    def free(self, host: Host) -> tuple[bool, tuple[str, ...]]:
        """Give the lease back and put the host in order; whether it was ours, and what could not be."""
        lines = self._ask(host, "free")
        if not {"freed", "other"} & set(lines):
            raise self._failure("; ".join(lines[-3:]))
        return "freed" in lines, untidy(lines)

    def _ask(self, host: Host, action: str) -> list[str]:
        given = {"ACTION": action, "FOLDER": self.folder, "TOKEN": self.token, "RUN": self.run}
        given |= {"OWNER": owner(), "EXPIRY": str(self.expiry), "PLACE": self.place}
        given |= {"NICS": " ".join(self.nics), "PEER": self.peer, "PURPOSE": self.purpose}
        both = script("state.bash") + script("lease.bash")
        done = host.run(both, timeout=TIMEOUT, root=True, environment=given)
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


def untidy(lines: list[str]) -> tuple[str, ...]:
    """What could not be put back, in words."""
    return tuple(line.removeprefix("untidy ") for line in lines if line.startswith("untidy "))[:10]


def _holder(words: list[str]) -> Holder:
    seconds, owner, run = (*words[1:4], "", "", "")[:3]
    number = int(seconds) if seconds.isdecimal() and seconds.isascii() else 0
    return Holder(owner, run, " ".join(words[4:])[:100], number, waits=words[0] == "next")


def _nic(words: list[str]) -> tuple[str, Nic | None]:
    pci, mac = (*words[2:4], "", "")[:2]
    return words[1], Nic(pci, mac or None) if pci else None


@cache
def script(name: str) -> str:
    """A script of this folder."""
    return files("pytest_ixy.providers.static").joinpath(name).read_text(encoding="utf-8")
