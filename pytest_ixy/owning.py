"""A subject in the process that owns its testbed: its run, from the clone to the last machine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from pytest_ixy import cast, guests, keeping, nics, source, target, testbed
from pytest_ixy.absent import Absent
from pytest_ixy.bundle import Phase
from pytest_ixy.errors import IxyError, LabError, UsageError
from pytest_ixy.keeping import Keeping
from pytest_ixy.lab import Lab
from pytest_ixy.progress import Progress, Step
from pytest_ixy.providers import registry
from pytest_ixy.providers.base import Testbed
from pytest_ixy.settings import Settings
from pytest_ixy.subjects import distinct
from pytest_ixy.target import Target
from pytest_ixy.testbed import Owner, Workspace
from pytest_ixy.topology import Topology, forward_topology


class Owned:
    """Everything of one subject; a `letting.landlord.House`.

    Args:
        settings: Its own.
        keeper: Knows whether its testbed is to be held.
        show, say: For progress and for lines that stay.
        several: Whether there are others.
        apart: Whether another process than this one uses the testbed.
    """

    def __init__(  # noqa: PLR0913 - most are keywords
        self,
        settings: Settings,
        keeper: Keeping,
        show: Callable[[Step], None],
        say: Callable[[str], None],
        *,
        several: bool,
        apart: bool,
    ) -> None:
        provider = registry.load(settings.provider)
        provider.check(settings)
        self.settings, self._keeper = settings, keeper
        self._name = _name(settings)
        run = testbed.run_id(settings.scenario, self._name)
        self.owner: Owner = keeping.owner(settings, Workspace(run), provider, apart=apart)
        self._say = say
        self.progress = Progress(show, say, self._name if several else "")
        self.folder = settings.artifacts / run
        self.origin: Lab | Absent | None = None
        self._left = self._stays = False

    def fetch(self, exclude: list[Path], taken: Collection[str]) -> Lab:
        """Get the target and who else plays; nothing is provisioned.

        Args:
            exclude: What is no part of a local target though it lies in it.
            taken: Labels of other subjects.

        Raises:
            UsageError: there is no such repository or version, or what it says is wrong.
            LabError: it cannot be had now.
        """
        with self.progress.phase("clone"):
            self.progress.tell(_repo(self.settings))
            got = self._clone(exclude, taken)
        visitors = self._invite(got, exclude)
        self.origin = lab = self._lab(got, visitors)
        if self.progress.about:
            self.progress.about = lab.label
        return lab

    def give_up(self, cause: Exception, taken: Collection[str]) -> Absent:
        """Stand for a target that could not be had."""
        error = cause if isinstance(cause, IxyError) else LabError(f"This machine would not: {cause}.")
        label = nics.label(self._name, self.settings.asked_nic)
        self.origin = Absent(distinct(label, taken), self.folder, error)
        return self.origin

    def _clone(self, exclude: list[Path], taken: Collection[str]) -> Target:
        settings, into = self.settings, self.owner.workspace.scratch / "target"
        timeout = settings.timeouts.fetch
        got = target.fetch(_repo(settings), settings.ref, into, timeout=timeout, exclude=exclude)
        got = got.on(settings.asked_nic)
        label = distinct(got.record.label, taken)
        return replace(got, record=got.record.model_copy(update={"label": label}))

    def _invite(self, own: Target, exclude: list[Path]) -> guests.Guests:
        """Who else plays; UsageError when they cannot play together."""
        players = cast.cast(own.spec, own.record.label, self.settings.roles)
        if not cast.guests(players):
            return {}
        with self.progress.phase("clone"):
            into, timeout = self.owner.workspace.scratch / "guests", self.settings.timeouts.fetch
            found = guests.fetch(players, self.settings.roles, into, timeout=timeout, exclude=exclude)
        cast.mixed(*guests.dialects(players, own, found))
        return found

    def _lab(self, got: Target, visitors: guests.Guests) -> Lab:
        return Lab(
            settings=self.settings,
            target=got,
            guests=visitors,
            folder=self.folder,
            scratch=self.owner.workspace.scratch,
            provider=self.owner.provider,
            provision=lambda: self._made(self.owner.provision),
            renew=lambda: self._made(self.owner.renew),
            progress=self.progress,
        )

    def _made(self, make: Callable[[Topology, Settings, Progress], Testbed]) -> Testbed:
        made = make(forward_topology(self.settings.pci), self.settings, self.progress)
        return keeping.open_doors(self.owner.workspace, made, self.folder)

    @property
    def phases(self) -> list[Phase]:
        """What was done for it."""
        return self.progress.phases

    def testbed(self) -> Testbed:
        """Its testbed, provisioned at the first call; LabError when it cannot be."""
        if self.origin is None:
            raise LabError("There is no target.")
        return self.origin.testbed

    def renew(self) -> Testbed:
        """Its testbed, provisioned anew; LabError when it cannot be."""
        if self.origin is not None:
            self.origin.renew()
        return self.testbed()

    def interrupt(self) -> None:
        """Have another thread's provisioning give up."""
        self.owner.interrupt()

    def leave(self, *, failed: bool | None) -> bool:
        """Take everything down, unless the testbed is to be held: then True, and `hold` is to be called.

        Args:
            failed: Whether a test has; None where only this process may know.
        """
        if self._left:
            return False
        self._left = True
        errors, self._stays = self._closed(), self._wanted(failed)
        self._tell([*errors, *([] if self._stays else self.owner.release())])
        return self._stays

    def hold(self) -> None:
        """Leave a testbed that stays to itself, now that the session is over and nobody has killed it."""
        if self._stays:
            self._stays = False
            held = self._keeper.hold(self.settings, self.owner, self._say)
            self._tell([] if held else self.owner.release())

    def _tell(self, errors: list[str]) -> None:
        for text in errors:
            self._say(f"not taken down: {text}")

    def _closed(self) -> list[str]:
        try:
            if self.origin is not None:
                self.origin.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the machines must go
            return [f"{type(error).__name__}: {error}"]
        return []

    def _wanted(self, failed: bool | None) -> bool:
        label = self.origin.label if self.origin is not None else self._name
        known = self._keeper.failed(label) if failed is None else failed
        self._keeper.crowd.leave(label)
        return self._keeper.wants(self.settings, self.owner, failed=known, say=self._say)


def _repo(settings: Settings) -> str:
    if settings.repo is None:  # the plugin asks only when there is one
        raise UsageError("No repository was given.", hint="--ixy-repo=URL|OWNER/NAME|FOLDER")
    return settings.repo


def _name(settings: Settings) -> str:
    """A name for the run; also for what is no repository, which is for `fetch` to say."""
    try:
        return source.parse(_repo(settings)).name
    except UsageError:
        return source.safe_name(source.redact(_repo(settings)))
