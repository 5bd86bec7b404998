"""What the lab knows of a trial, written into its bundle."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest_ixy
from pytest_ixy import bundle as bundles
from pytest_ixy import cast
from pytest_ixy.bundle import (
    Build,
    Bundle,
    CaptureRecord,
    CourseRecord,
    Manifest,
    NicRecord,
    NodeRecord,
    Run,
    TargetRecord,
)
from pytest_ixy.cast import REFERENCE, TARGET, Cast, dialect_of, mixed
from pytest_ixy.guests import Guests, dialects
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Provider, Testbed
from pytest_ixy.settings import Settings
from pytest_ixy.target import Target
from pytest_ixy.terms import Terms
from pytest_ixy.testbed import Hosts


@dataclass(frozen=True)
class Setup:
    """What a trial is run on and with."""

    testbed: Testbed
    provider: Provider
    hosts: Hosts
    target: Target
    builds: Mapping[str, Build]
    settings: Settings
    cast: Cast
    guests: Guests = field(default_factory=dict)

    def program(self, role: str) -> Target | None:
        """The repository whose program plays that role; None for the reference."""
        if self.cast[role] == REFERENCE:
            return None
        return self.target if self.cast[role] == TARGET else self.guests[role]

    def player(self, role: str) -> str:
        """Who plays it, as the manifest says it."""
        return self.cast[role] if self.cast[role] in cast.PLAYERS else self.guests[role].record.label

    @property
    def terms(self) -> Terms:
        """How the trial is to be judged: what the user asks for, over what the target does."""
        sent, touched = dialects(self.cast, self.target, self.guests)
        own = Terms(mixed(sent, touched), self.target.spec.rules)
        if sent and not touched:  # nobody says what fwd changes, so that nothing can be held against it
            own = own.over(Terms(rules={"payload": {"severity": "report"}}))
        found = self.settings.terms.over(own)
        return replace(found, dialect=found.dialect and dialect_of(found.dialect, self.cast))

    @property
    def guest_records(self) -> dict[str, TargetRecord]:
        """Other repositories than the target that play, by role."""
        return {role: self.guests[role].record for role in cast.guests(self.cast)}


@dataclass(frozen=True)
class Outcome:
    """What came of it; `counted` are the frames that the networks counted during the trial.

    `nodes` are the nodes' records by name, with what was seen on them.
    """

    started: datetime
    roles: Mapping[str, Run]
    capture: CaptureRecord
    counted: Counters
    course: CourseRecord | None = None
    series: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)


def leave(setup: Setup, packets: int, outcome: Outcome, folder: Path, progress: Progress) -> Bundle:
    """Complete the bundle in `folder` with consoles, the target's diff and the manifest."""
    if setup.target.diff:
        (folder / bundles.DIFF).write_text(setup.target.diff, encoding="utf-8", errors="surrogateescape")
    terms = setup.terms
    manifest = Manifest(
        run=setup.testbed.run,
        scenario=setup.settings.scenario,
        packets=packets,
        started=outcome.started,
        target=setup.target.record,
        guests=setup.guest_records,
        provider=setup.testbed.record,
        nodes=tuple(
            _complete(outcome.nodes.get(node.name, node), outcome.counted, folder)
            for node in setup.testbed.nodes
        ),
        builds=dict(setup.builds),
        roles=dict(outcome.roles),
        capture=outcome.capture,
        dialect=terms.dialect,
        rules=terms.rules,
        course=outcome.course,
        series=dict(outcome.series),
        unsupported=dict(setup.target.unsupported),
        options=setup.settings.told,
        phases=tuple(progress.phases),
        versions=_versions(),
    )
    return bundles.write(folder, manifest)


def leave_unrun(setup: Setup, packets: int, folder: Path, progress: Progress) -> Bundle:
    """Leave a bundle that says that there was no trial, because the target is not built."""
    nothing = Outcome(datetime.now(UTC), {}, CaptureRecord(file=None), {})
    return leave(setup, packets, nothing, folder, progress)


def keep_consoles(testbed: Testbed, folder: Path) -> None:
    """Copy the consoles of a testbed on which no trial ended."""
    for node in testbed.nodes:
        _complete(node, {}, folder)


def difference(before: Counters, after: Counters) -> Counters:
    """The frames counted in between; empty when the provider cannot count."""
    return {
        node: tuple(_subtract(old, new) for old, new in zip(before[node], nics, strict=True))
        for node, nics in after.items()
    }


def _subtract(old: NicRecord, new: NicRecord) -> NicRecord:
    known = [name for name in ("sent", "received", "dropped") if getattr(new, name) is not None]
    return new.model_copy(update={name: getattr(new, name) - (getattr(old, name) or 0) for name in known})


def _complete(node: NodeRecord, counted: Counters, folder: Path) -> NodeRecord:
    """The node with its counters, and its console copied into the bundle."""
    found = node.model_copy(update={"nics": counted.get(node.name, node.nics), "console": None})
    if node.console is None or not Path(node.console).exists():
        return found
    target = folder / "consoles" / f"{node.name}.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(node.console, target)
    return found.model_copy(update={"console": str(target.relative_to(folder))})


def _versions() -> dict[str, str]:
    return {
        "pytest-ixy": pytest_ixy.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
