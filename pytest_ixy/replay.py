"""A trial that is over, in place of a lab: nothing is provisioned, and nothing is written into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pytest_ixy.bare import Bare, open_any
from pytest_ixy.bundle import DIFF, MANIFEST, Build, Bundle, Manifest, TargetRecord
from pytest_ixy.cast import Cast
from pytest_ixy.course import USUAL, Course
from pytest_ixy.errors import LabError, NotRecordedError, UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.settings import Settings
from pytest_ixy.unpack import BrokenStreamError, plain

FORMAT = 1
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+~-]{0,99}")
"""Labels stand in test ids and in what people paste into shells."""
FORWARD, LOCALISE = "forward", "localise"
"""Trials of the second are as those of the first, but for who plays: they are judged alike."""
MOST_PACKETS = 2**31 - 1
MOST_NODES = 100


@dataclass(frozen=True)
class Recorded:
    """What a bundle knows of its target."""

    record: TargetRecord
    diff: str
    unsupported: Mapping[str, tuple[str, ...]]

    @property
    def spec(self) -> NoReturn:
        """Not in a bundle."""
        raise _not_recorded("the target's ixy-ci.toml")

    @property
    def folder(self) -> NoReturn:
        """Not in a bundle."""
        raise _not_recorded("the target's work tree")


class Replay:
    """One trial that is over; see `origin.Origin`."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Open the bundle or capture at `path`. A bundle is judged by what is on record.

        Raises:
            UsageError: it is neither, cannot be read, or names what no lab would have named.
        """
        if not path.exists():
            raise UsageError(f"There is nothing to replay: {one_line(str(path))} does not exist.")
        self.terms = settings.asked if path.is_dir() else settings.terms
        packets = settings.packets if "packets" in settings.given else None
        self._bundle = open_any(path.resolve(), packets, self.terms)
        self._opened = ExitStack()
        if not self._bundle.alone:
            _check(self._bundle, settings.scenario)

    @property
    def label(self) -> str:
        """The target's name in test ids, as in the run that left the bundle."""
        return self._bundle.manifest.target.label

    @property
    def folder(self) -> Path:
        """The bundle."""
        return self._bundle.path

    @property
    def latest(self) -> Path:
        """The bundle."""
        return self._bundle.path

    @property
    def target(self) -> Recorded:
        """What the bundle knows of it."""
        manifest = self._bundle.manifest
        return Recorded(manifest.target, self._bundle.text(DIFF), manifest.unsupported)

    @property
    def declined(self) -> str:
        """A trial that is over was not declined."""
        return ""

    @property
    def testbed(self) -> NoReturn:
        """There is none."""
        raise _not_recorded("a testbed")

    def prepare(self) -> None:
        """Nothing is needed."""

    def builds(self) -> dict[str, Build]:
        """How the builds went then."""
        return dict(self._bundle.manifest.builds)

    def bundle(self) -> Bundle:
        """The bundle; LabError when a compressed capture cannot be unpacked."""
        if isinstance(self._bundle, Bare) and self._bundle.file == self._bundle.path:
            self._bundle.file = self._unpacked(self._bundle.path)
        return self._bundle

    def _unpacked(self, path: Path) -> Path:
        try:
            return self._opened.enter_context(plain(str(path)))
        except BrokenStreamError as error:
            hint = "get the capture once more"
            raise LabError(f"{one_line(str(path))} cannot be judged: {error}", hint=hint) from error

    @property
    def cast(self) -> NoReturn:
        """Nobody plays."""
        raise _not_recorded("a cast")

    def run_trial(
        self,
        packets: int | None = None,  # noqa: ARG002 - as a lab's
        players: Cast | None = None,  # noqa: ARG002
        course: Course = USUAL,
    ) -> Bundle:
        """The trial, if it was one of a course of that name; there cannot be another one."""
        record = self._bundle.manifest.course
        if course.name and record and record.name == course.name:
            return self.bundle()
        raise _not_recorded("another trial")

    def renew(self) -> NoReturn:
        """There are no machines."""
        raise _not_recorded("a testbed")

    def close(self) -> None:
        """Let go of what was unpacked."""
        self._opened.close()


def _not_recorded(what: str) -> NotRecordedError:
    return NotRecordedError(f"a replay has no lab, so there is not {what}")


def _check(bundle: Bundle, scenario: str) -> None:
    """Refuse a manifest that no lab has written: a bundle may come from anywhere."""
    file, manifest = bundle.path / MANIFEST, bundle.manifest
    if manifest.format != FORMAT:
        raise UsageError(f"{file}: format {manifest.format} is not the one this version reads ({FORMAT})")
    if not LABEL.fullmatch(manifest.target.label):
        shown = ascii(manifest.target.label[:80])
        raise UsageError(f"{file}: target.label: {shown} is not fit for a test id")
    if manifest.scenario not in {scenario, LOCALISE if scenario == FORWARD else scenario}:
        shown = ascii(manifest.scenario[:80])
        raise UsageError(
            f"{file}: the trial was one of scenario {shown}, not {scenario!r}", hint="give --ixy-scenario"
        )
    if not 1 <= (manifest.packets or 0) <= MOST_PACKETS:
        raise UsageError(f"{file}: packets: should be from 1 to {MOST_PACKETS:,}")
    if max(map(len, (manifest.nodes, manifest.roles, manifest.builds, manifest.guests))) > MOST_NODES:
        raise UsageError(f"{file}: more than {MOST_NODES} nodes or roles")
    for relative in _files(manifest):
        bundle.inside(relative)


def _files(manifest: Manifest) -> Iterator[str]:
    yield from (build.log for build in manifest.builds.values())
    yield from (run.log for run in manifest.roles.values())
    yield from (node.console for node in manifest.nodes if node.console)
    yield from (node.kernel for node in manifest.nodes if node.kernel)
    crashes = [run.crash for run in manifest.roles.values() if run.crash]
    yield from (file for crash in crashes for file in (crash.file, crash.core) if file)
    yield from filter(None, [manifest.capture.file])
    if manifest.course and manifest.course.back and manifest.course.back.file:
        yield manifest.course.back.file
    yield from manifest.series.values()
    if manifest.course and manifest.course.sent:
        yield manifest.course.sent
