"""Everything left of the bundle, done once and in order: target, testbed, build, trials.

Knows nothing of pytest. A lab is used in one process; the testbed may belong to another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from pytest_ixy import build, bundle, cast, manifest, nics, once, rates, reference, spots, testbed, trial
from pytest_ixy.alike import Where
from pytest_ixy.bundle import Build, Bundle, Phase
from pytest_ixy.course import ENDLESS, SOAK, USUAL, Course, soak
from pytest_ixy.dialect import shipped
from pytest_ixy.errors import LabError, TargetError, UsageError
from pytest_ixy.guests import Guests
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Provider, Testbed
from pytest_ixy.reference.supply import Supply
from pytest_ixy.roles import environment
from pytest_ixy.rules.meanwhile import Meanwhile
from pytest_ixy.settings import Settings
from pytest_ixy.spots import Spot
from pytest_ixy.target import Target
from pytest_ixy.testbed import Hosts
from pytest_ixy.topology import PKTGEN

SPARE_CAPTURE = "/tmp/capture.pcap"  # noqa: S108 - on a node, for who starts pcap by hand


class Lab:
    """One target on one testbed.

    Attributes:
        settings: What the user asked for.
        target: What is tested.
        guests: Other repositories that play, by role.
        folder: Where the first trial's bundle goes, and logs before it.
        progress: Told about everything.
        latest: The newest bundle's folder, None while there is none.
    """

    def __init__(  # noqa: PLR0913 - all keywords
        self,
        *,
        settings: Settings,
        target: Target,
        folder: Path,
        scratch: Path,
        provider: Provider,
        provision: Callable[[], Testbed],
        renew: Callable[[], Testbed],
        progress: Progress,
        guests: Guests | None = None,
    ) -> None:
        """Prepare; nothing is provisioned before `testbed` is asked for."""
        self.settings, self.target, self.folder, self.progress = settings, target, folder, progress
        self.scratch, self._provider = scratch, provider
        self._provision, self._renew = provision, renew
        self.cast = cast.cast(target.spec, target.record.label, settings.roles)
        _refuse_the_impossible(settings, self.cast)
        self.guests: Guests = guests or {}
        if self.declined and not settings.asked_nic:
            raise UsageError(
                f"{self.label} is {self.declined}.", hint="say on what to try it: --ixy-nic=MODEL"
            )
        self._testbed: Testbed | None = None
        self._hosts: Hosts = {}
        self._supply: Supply | None = None
        self._builds: dict[str, Build] | None = None
        self._built_in = folder
        self._trials = 0
        self._bundle: Bundle | None = None
        self._prelude: tuple[Phase, ...] = ()
        self._untidy: list[str] = []
        self.latest: Path | None = None

    @property
    def label(self) -> str:
        """The target's name in test ids."""
        return self.target.record.label

    @property
    def declined(self) -> str:
        """Why nothing is tried, if a repository that plays declares that it does not drive such NICs."""
        programs = (self.target, *self.guests.values())
        return nics.undriven(self.settings.nic, (program.spec.nics for program in programs))

    def prepare(self) -> None:
        """Provision and connect."""
        _ = self.hosts

    @property
    def testbed(self) -> Testbed:
        """The testbed, provisioned at the first use; LabError when it cannot be."""
        if self._testbed is None:
            self._testbed = self._provision()
        return self._testbed

    @property
    def hosts(self) -> Hosts:
        """The one connection to each node, opened at the first use."""
        if not self._hosts:
            self._hosts = testbed.connect(self.testbed, self._provider, self.settings, self.progress)
        return self._hosts

    def builds(self) -> dict[str, Build]:
        """The target, sent to every node and built there; a failed build is an answer, not an error."""
        if self._builds is None:
            setup = self._setup()
            programs = {role: program for role in setup.hosts if (program := setup.program(role))}
            for role, program in programs.items():
                spots.note(self.testbed.run, role, self._spot(role, program))
            self._builds = once.make(
                once.Site(
                    self.hosts,
                    Where(self.testbed.record, self.settings.offline),
                    programs,
                    self.settings,
                    self.scratch,
                    self._built_in,
                    self.progress,
                )
            )
            if build.first_failure(self._builds):
                manifest.leave_unrun(self._setup(), self.settings.packets, self._built_in, self.progress)
                self.latest = self._built_in
        return self._builds

    def _spot(self, role: str, program: Target) -> Spot:
        """Where a role could be run, for one that never gets to it."""
        variables = environment(self.testbed.topology, SPARE_CAPTURE, self.settings.packets)
        return Spot(build.folder_name(program), program.spec.command(role) or "", variables)

    def bundle(self) -> Bundle:
        """What one trial left, which is run at the first call; errors as of `run_trial`."""
        if self._bundle is None:
            if self.settings.scenario == SOAK:
                self._bundle = self.run_trial(ENDLESS, course=soak(self.settings.minutes))
            else:
                self._bundle = self.run_trial()
        return self._bundle

    def run_trial(
        self, packets: int | None = None, players: cast.Cast | None = None, course: Course = USUAL
    ) -> Bundle:
        """Run a trial and open what it left; the first one's folder is `folder`.

        Args:
            packets: How many to capture; None for what the settings say.
            players: Who plays each role; None for what target and settings say.
            course: How it goes, where it is not the usual way.

        Raises:
            LabError: the lab could not tell.
            TargetError: the target is not built.
            UsageError: nothing to capture, or somebody should play who is not on the testbed.
        """
        if packets is not None and packets < 1:
            raise UsageError(f"A trial cannot capture {packets} packets; one is the least.")
        self._refuse_strangers(players or {})
        if failure := build.first_failure(self.builds()):
            raise TargetError(f"not run: {failure}")
        self._require_tidiness()
        folder = self._next_folder()
        self._begin_trial()
        if folder != self._built_in:
            shutil.copytree(self._built_in / "build", folder / "build")
        count = packets or self.settings.packets
        setup = self._setup(players)
        dialect = setup.terms.dialect or shipped()
        supply = self._supplied()
        supply.roles(setup.cast, dialect, count + course.spare)
        supply.extras(course, dialect, count + course.spare)
        if course.traffic:
            reference.send_traffic(self.hosts, course.traffic, self.scratch, folder / bundle.SENT)
        with Meanwhile(dialect) as meanwhile:
            made = trial.run(setup, count, folder, self.progress, meanwhile, course)
        made.observed = meanwhile.observed
        rates.leave(made)
        self._untidy = [f"{node.name}: {words}" for node in made.manifest.nodes for words in node.untidy]
        self.latest = folder
        return made

    def _refuse_strangers(self, players: cast.Cast) -> None:
        """Only whoever is on a node can play there, and the reference."""
        for role, player in players.items():
            if player not in {cast.REFERENCE, self.cast[role]}:
                raise UsageError(
                    f"{role} can be played by the reference, or by whoever is to by --ixy-role and [roles]."
                )

    def _next_folder(self) -> Path:
        return Path(f"{self.folder}-{self._trials + 1}") if self._trials else self.folder

    def _require_tidiness(self) -> None:
        """Refuse to start on nodes that could not be put back as they were before the trial before."""
        if self._untidy:
            raise LabError(
                f"The trial before left what could not be cleaned up: {'; '.join(self._untidy)}.",
                hint="start with fresh machines",
            )

    def _supplied(self) -> Supply:
        if self._supply is None:
            self._supply = Supply(self.hosts, self.scratch, self.progress)
        return self._supply

    def _begin_trial(self) -> None:
        """Count it, and forget the phases of the one before, which are not of its bundle."""
        if not self._prelude:
            self._prelude = tuple(self.progress.phases)
        self.progress.phases[:] = self._prelude
        self._trials += 1

    def _setup(self, players: cast.Cast | None = None) -> manifest.Setup:
        return manifest.Setup(
            self.testbed,
            self._provider,
            self.hosts,
            self.target,
            self._builds or {},
            self.settings,
            players or self.cast,
            self.guests,
        )

    def renew(self) -> None:
        """Have new machines for the next trial, on which the target is built again.

        Raises:
            LabError: there can be none; the old ones may be gone.
        """
        testbed.close(self._hosts)
        self._hosts, self._supply, self._builds, self._prelude = {}, None, None, ()
        self._untidy = []
        self.progress.phases.clear()
        self._testbed = self._renew()
        self._built_in = self._next_folder()

    def close(self) -> None:
        """Close the connections and keep the consoles of a testbed that never got to a trial."""
        testbed.close(self._hosts)
        self._hosts = {}
        if self._testbed is not None and not (self.folder / bundle.MANIFEST).exists():
            manifest.keep_consoles(self._testbed, self.folder)


def _refuse_the_impossible(settings: Settings, players: cast.Cast) -> None:
    """Raise UsageError for what a reference cannot do, before anything is made."""
    if settings.gdb and players[settings.gdb] == cast.REFERENCE:
        raise UsageError(
            f"--ixy-gdb={settings.gdb}: the reference plays that role, and that has no program.",
            hint="debug a role that a program of the target plays, or --ixy-role=ROLE=target",
        )
    if settings.scenario == SOAK and players[PKTGEN] == cast.REFERENCE:
        raise UsageError(
            "The reference pktgen sends a number of packets that were made beforehand, so soak has none.",
            hint="give soak a pktgen of a repository: --ixy-role=pktgen=target, or OWNER/NAME",
        )
