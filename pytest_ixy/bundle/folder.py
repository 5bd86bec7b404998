"""A bundle's folder: opened, read and written, and never trusted."""

from __future__ import annotations

from pathlib import Path

from pytest_ixy import recorded
from pytest_ixy.bundle.manifest import Manifest
from pytest_ixy.errors import UsageError

MANIFEST = "manifest.json"
CAPTURE = "capture.pcap"
BACK = "capture-back.pcap"
SENT = "sent.pcap"
DIFF = "target.diff"
LARGEST_MANIFEST = 16 << 20
LONGEST_PATH, LONGEST_NAME = 1000, 255


class Bundle:
    """A trial's folder, opened for reading; `alone` when it is nothing but a capture.

    Attributes:
        path: The folder.
        manifest: What is known about the trial.
        observed: What `rules` has seen in the capture while it came; None where it has not looked. It is
            never on disk, and nothing but time depends on it.
    """

    alone = False

    def __init__(self, path: Path, manifest: Manifest, observed: object = None) -> None:
        self.path = path
        self.manifest = manifest
        self.observed = observed

    @property
    def capture(self) -> Path | None:
        """Path of the capture, or None when the trial left none.

        Raises:
            UsageError: the manifest names a file outside the bundle.
        """
        file = self.manifest.capture.file
        return self.inside(file) if file else None

    def inside(self, relative: str) -> Path:
        """The path of a file that the manifest names.

        Raises:
            UsageError: it leads out of the bundle, which may come from anywhere.
        """
        if not _possible(relative) or not (self.path / relative).resolve().is_relative_to(
            self.path.resolve()
        ):
            raise UsageError(f"{self.path / MANIFEST}: {relative!r} is not in the bundle")
        return self.path / relative

    def text(self, relative: str, *, limit: int = 1 << 20, start: int = 0) -> str:
        """The last `limit` bytes from `start` on of a text file in the bundle; empty when it is not there."""
        file = self.inside(relative)
        if not file.is_file():
            return ""
        with file.open("rb") as stream:
            size = file.stat().st_size
            stream.seek(max(0, min(start, size), size - limit))
            return stream.read().decode("utf-8", "replace")


def _possible(relative: str) -> bool:
    """Whether a file can have that name at all; where not, every question about it would be an error."""
    longest = max(len(part.encode("utf-8", "replace")) for part in relative.split("/"))
    return "\0" not in relative and len(relative) < LONGEST_PATH and longest <= LONGEST_NAME


def write(path: Path, manifest: Manifest) -> Bundle:
    """Write the manifest into the folder `path`, whole or not at all, and open it."""
    recorded.write(path / MANIFEST, manifest)
    return Bundle(path, manifest)


def load(path: Path) -> Bundle:
    """Open a trial's folder.

    Raises:
        UsageError: there is no manifest, or it is not one that this version can read.
    """
    file = path / MANIFEST
    try:
        manifest = recorded.read(file, Manifest, "manifest", LARGEST_MANIFEST)
    except OSError as error:
        from pytest_ixy.ng40 import folder as other  # what judges packets has no use for it

        if other.is_one(path):
            what = f"{path} is a run of scenario teravm, and has no packets."
            raise UsageError(what, hint="give --ixy-scenario=teravm") from error
        raise UsageError(f"{path} is not a bundle: {error.strerror}: {file.name}") from error
    if manifest.packets is None:
        raise UsageError(f"{file}: 'packets': should be the number that was asked for")
    return Bundle(path, manifest)
