"""The hosts of a lab: the way to each, their leases, and connections that are made anew when they break."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_ixy import timespan
from pytest_ixy.labtable import LabHost, LabTable
from pytest_ixy.ledger import Ledger
from pytest_ixy.printable import one_line
from pytest_ixy.progress import Progress
from pytest_ixy.providers.static import plan
from pytest_ixy.providers.static.answers import Holder
from pytest_ixy.providers.static.leases import Leases, require
from pytest_ixy.providers.static.slip import PATIENCE
from pytest_ixy.providers.static.tenancy import UNFIT, Claim
from pytest_ixy.remote import Access, Host
from pytest_ixy.settings import Settings

AGW, NG40 = "agw", "ng40"
OWN_FOLDER = "/dev/shm/pytest-ixy-{user}"  # noqa: S108 - the lease sees that it is the user's own
"""Where the lease lies of a user who is not root: empty after a boot, as /run."""


def tables(lab: LabTable) -> dict[str, LabHost]:
    """The hosts by node."""
    return {AGW: lab.agw, **{feg.name: feg for feg in lab.feg}, NG40: lab.ng40}


def accesses(lab: LabTable, config: Path | None) -> dict[str, Access]:
    """The way to each host; errors as of `plan.way`."""
    return {name: plan.way(name, table, lab, config) for name, table in tables(lab).items()}


def claim_of(access: Access, token: str, run: str, table: LabHost) -> Claim:
    """What a run needs to ask for the lease of one host."""
    claim = Claim(access, token, run, (), bare=True)
    if table.root or access.user == "root":
        return claim
    return replace(claim, root=False, folder=OWN_FOLDER.format(user=UNFIT.sub("_", access.user)))


class Hosts:
    """All hosts of a lab, leased together.

    Args:
        lab: What is asked for.
        settings: For config.toml's folder and deadlines.
        book, scratch: The run's ledger and folder.
    """

    def __init__(self, lab: LabTable, settings: Settings, book: Ledger, scratch: Path) -> None:
        self._lab, self._deadline = lab, settings.timeouts.connect
        self._purpose = one_line(f"{settings.scenario} {settings.tag}")[:100]
        self._book = book
        self.accesses = accesses(lab, settings.config)
        self._leases = Leases(book, scratch)
        self._open: dict[str, Host] = {}

    def lease(self, progress: Progress) -> list[str]:
        """Wait until nobody else has any of them; what a reader should know of it.

        Raises:
            LabError: somebody else has the lab for too long, or a host cannot be reached.
        """
        self._leases.prepare(self._claims(), self._deadline)
        wait = timespan.parse(self._lab.wait).total_seconds()
        taken = self._leases.take(wait, progress)
        return list(_taken_over({name: one.dead for name, one in taken.items() if one.dead}))

    def _claims(self) -> Mapping[str, Claim]:
        token, found = secrets.token_hex(8), tables(self._lab)
        claims = {
            name: claim_of(access, token, self._book.run, found[name])
            for name, access in self.accesses.items()
        }
        return {name: replace(claim, purpose=self._purpose) for name, claim in claims.items()}

    def host(self, name: str) -> Host:
        """A connection to a leased host that stands, as far as anybody knows.

        Raises:
            LabError: the lease is lost, or the host does not let us in again.
        """
        require(self._leases.lost)
        found = self._open.get(name)
        if found is None or found.lost:
            if found is not None:
                found.close()
            self._open[name] = found = Host.connect(self.ways[name], deadline=self._deadline)
        return found

    def hurry(self) -> None:
        """Let a host that is gone hold nobody up from now on: what is left is only to be taken down."""
        self._deadline = min(self._deadline, PATIENCE)

    @property
    def ways(self) -> dict[str, Access]:
        """The way to each leased host for whoever runs something there."""
        return {name: claim.way() for name, claim in self._leases.claims.items()}

    def free(self) -> list[str]:
        """End what runs there and give the leases back; what went wrong, none raised."""
        for host in self._open.values():
            host.close()
        self._open = {}
        return self._leases.free()


def _taken_over(dead: Mapping[str, Holder]) -> Iterator[str]:
    """Each dead owner once, though all hosts tell of him."""
    for run in dict.fromkeys(one.run for one in dead.values()):
        nodes = ", ".join(name for name, one in dead.items() if one.run == run)
        who = next(one for one in dead.values() if one.run == run)
        yield (
            f"the lease of {nodes} was taken over from {who.owner} (run {run}), "
            f"of whom nothing was heard for {who.seconds} s; what still ran there was ended"
        )
