"""The leases on several hosts: asked for, kept and given back together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_ixy.errors import IxyError, LabError
from pytest_ixy.ledger import Ledger
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.static import slip
from pytest_ixy.providers.static.answers import Taken
from pytest_ixy.providers.static.heart import Heart
from pytest_ixy.providers.static.line import Line
from pytest_ixy.providers.static.tenancy import Claim
from pytest_ixy.remote import Access, Host

PATIENCE = 60.0
"""Seconds that a host may take to let us in again while we stand in line."""
LOST = "lease-lost"
"""File in the run's scratch folder: which lease was lost, for every process that uses the hosts."""


class Leases:
    """What a run has leased.

    Args:
        book: Where leases are written down before they are asked for.
        scratch: The run's folder on this machine.

    Attributes:
        claims: What was asked for, by node.
        lost: The file that says that a lease was lost, and why.
    """

    def __init__(self, book: Ledger, scratch: Path) -> None:
        self._book, self._scratch = book, scratch
        self.lost = scratch / LOST
        self.lost.unlink(missing_ok=True)
        self.claims: dict[str, Claim] = {}
        self._slips: dict[str, Path] = {}
        self._hosts: dict[str, Host] = {}
        self._hearts: dict[str, Heart] = {}

    def prepare(self, asked: Mapping[str, Claim], deadline: float) -> None:
        """Log in, and write down what is to be claimed, in the order in which it is asked for.

        Raises:
            LabError: a host does not let us in within `deadline` seconds.
        """
        claims = self._enter(asked, deadline)
        for name in in_line(claim.access for claim in claims.values()):
            self._slips[name] = slip.write(claims[name], self._book, self._scratch)
            self.claims[name] = claims[name]

    def _enter(self, claims: Mapping[str, Claim], deadline: float) -> dict[str, Claim]:
        """Log in to all hosts at once; what is to be claimed, with what only the hosts can tell."""
        interrupted = threading.Event()

        def enter(name: str) -> Claim:
            def stop() -> str | None:
                return "interrupted" if interrupted.is_set() else None

            self._hosts[name] = Host.connect(claims[name].access, deadline=deadline, alive=stop)
            return claims[name].housed(self._hosts[name])

        jobs = {name: lambda name=name: enter(name) for name in claims}
        return all_at_once(jobs, abort=interrupted.set)

    def _reach(self, name: str) -> Host:
        host = self._hosts[name]
        if host.lost:
            host.close()
            self._hosts[name] = host = Host.connect(self.claims[name].access, deadline=PATIENCE)
        return host

    def take(self, wait: float, progress: Progress) -> Mapping[str, Taken]:
        """Stand in line for at most `wait` seconds, and keep the leases from then on; see `Line.stand`."""
        taken = Line(self.claims, self._reach, wait, progress.tell, progress.say).stand()
        for name, claim in self.claims.items():
            self._hearts[name] = Heart(claim, self._hosts[name], lambda why: _note(self.lost, why))
        return taken

    def free(self) -> list[str]:
        """Put the hosts in order and give them back, all at once; what went wrong, none raised."""
        for heart in self._hearts.values():
            heart.close()
        self._hosts |= {name: heart.host for name, heart in self._hearts.items()}
        jobs = {name: lambda name=name: self._free(name) for name in self.claims}
        told = all_at_once(jobs)
        for host in self._hosts.values():
            host.close()
        self.claims, self._slips, self._hosts, self._hearts = {}, {}, {}, {}
        return [words for each in told.values() for words in each]

    def _free(self, name: str) -> list[str]:
        """Free one host; what went wrong. What is left of it stands in the ledger, for a sweep."""
        claim, where = self.claims[name], f"{name}'s host {self.claims[name].access.address}"
        try:
            if self._hosts[name].lost:
                slip.free(self._slips[name])
                return []
            _, untidy = claim.free(self._hosts[name])
        except (IxyError, OSError) as error:
            return [f"{where}: {error}"]
        self._slips[name].unlink(missing_ok=True)
        return [f"{where} is not all as it was: {words}" for words in untidy]


def in_line(accesses: Iterable[Access]) -> list[str]:
    """The nodes in the order in which hosts are leased: the same for everybody who names them so."""
    return [one.name for one in sorted(accesses, key=lambda one: (one.host, one.port, one.name))]


def _note(file: Path, why: str) -> None:
    file.write_text(why, encoding="utf-8")


def loss(file: Path) -> str | None:
    """Why a lease was lost, or None while all are had."""
    return file.read_text(encoding="utf-8") if file.exists() else None


def require(file: Path) -> None:
    """LabError when a lease was lost."""
    if why := loss(file):
        raise LabError(why, hint="what was run there since then proves nothing; run it again")
