"""A capture without the rest of its bundle, taken for a trial of which nothing else is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy import bundle
from pytest_ixy.bundle import Bundle, CaptureRecord, Manifest, ProviderRecord, TargetRecord
from pytest_ixy.source import safe_name
from pytest_ixy.terms import Terms, judged


class Bare(Bundle):
    """A capture alone; `path` is the capture as the user named it, `file` the same uncompressed."""

    alone = True

    def __init__(self, path: Path, manifest: Manifest, file: Path) -> None:
        super().__init__(path, manifest)
        self.file = file

    @property
    def capture(self) -> Path:
        """Path of the capture, whether or not it is there."""
        return self.file

    def text(self, relative: str, *, limit: int = 0, start: int = 0) -> str:  # noqa: ARG002 - a bundle's
        """Empty: there are no other files."""
        return ""


def bare(capture: Path, packets: int | None = None, file: Path | None = None) -> Bare:
    """Take a capture for a trial.

    Args:
        capture: What the user named. It need not be there: the rules tell what is wrong with it.
        packets: N, None when nobody knows.
        file: The capture unpacked, where it is compressed.
    """
    label = safe_name(capture.name)
    target = TargetRecord(label=label, name=label, source="", ref=None, commit="", dirty=False)
    manifest = Manifest(
        run="",
        scenario="",
        packets=packets,
        started=datetime.fromtimestamp(_modified(capture), UTC),
        target=target,
        provider=ProviderRecord(name=""),
        nodes=(),
        builds={},
        roles={},
        capture=CaptureRecord(file=None),
    )
    return Bare(capture, manifest, file or capture)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the rules tell what is wrong with it
        return 0.0


def open_any(path: Path, packets: int | None = None, terms: Terms | None = None) -> Bundle:
    """A bundle's folder, or else a capture, opened.

    Args:
        path: Either of the two. A capture need not be there: the rules tell what is wrong with it.
        packets: N for a capture; a bundle tells it itself.
        terms: How to judge it, over what a bundle has on record.

    Raises:
        UsageError: the folder is no bundle that this version can read.
    """
    found = bundle.load(path) if path.is_dir() else bare(path, packets)
    return judged(found, terms or Terms())
