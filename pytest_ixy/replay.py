"""A trial that is over, in place of a lab: nothing is provisioned, and nothing is written into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pytest_ixy.bare import open_any
from pytest_ixy.bundle import DIFF, MANIFEST, Build, Bundle, Manifest, TargetRecord
from pytest_ixy.errors import NotRecordedError, UsageError
from pytest_ixy.unpack import packed

FORMAT = 1
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,99}")
"""Labels stand in test ids and in what people paste into shells."""
MOST_PACKETS = 2**31 - 1
MOST_NODES = 100


@dataclass(frozen=True)
class Recorded:
    """What a bundle knows of its target."""

    record: TargetRecord
    diff: str

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

    def __init__(self, path: Path, packets: int | None, scenario: str) -> None:
        """Open the bundle or capture at `path`; `packets` is N for a capture, if known.

        Raises:
            UsageError: it is neither, cannot be read, or names what no lab would have named.
        """
        if not path.exists():
            raise UsageError(f"There is nothing to replay: {path} does not exist.")
        if packed(path):
            hint = f"unpack it, or run: pytest-ixy judge {path}"
            raise UsageError(f"{path} is compressed, and a replay reads plain captures.", hint=hint)
        self._bundle = open_any(path.resolve(), packets)
        if not self._bundle.alone:
            _check(self._bundle, scenario)

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
        return Recorded(self._bundle.manifest.target, self._bundle.text(DIFF))

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
        """The bundle."""
        return self._bundle

    def run_trial(self, packets: int | None = None) -> NoReturn:  # noqa: ARG002 - as a lab's
        """There cannot be another one."""
        raise _not_recorded("another trial")

    def close(self) -> None:
        """Nothing was opened."""


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
    if manifest.scenario != scenario:
        shown = ascii(manifest.scenario[:80])
        raise UsageError(
            f"{file}: the trial was one of scenario {shown}, not {scenario!r}", hint="give --ixy-scenario"
        )
    if not 1 <= (manifest.packets or 0) <= MOST_PACKETS:
        raise UsageError(f"{file}: packets: should be from 1 to {MOST_PACKETS:,}")
    if max(len(manifest.nodes), len(manifest.roles), len(manifest.builds)) > MOST_NODES:
        raise UsageError(f"{file}: more than {MOST_NODES} nodes or roles")
    for relative in _files(manifest):
        bundle.inside(relative)


def _files(manifest: Manifest) -> Iterator[str]:
    yield from (build.log for build in manifest.builds.values())
    yield from (run.log for run in manifest.roles.values())
    yield from (node.console for node in manifest.nodes if node.console)
    yield from filter(None, [manifest.capture.file])
