"""The logs of a bundle, or of a run that goes on, as they grow. A bundle may come from anywhere."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_ixy import ledger
from pytest_ixy.printable import one_line, plain
from pytest_ixy.runs import Visit

KINDS = ("build", "roles", "consoles")
"""Folders of a bundle that have logs, each named after a role or node."""
TAIL, WIDEST = 1 << 20, 2000
"""Bytes of a log that are looked at, and characters of a line that are shown."""

Look = Callable[[], Iterable[Path]]
"""Tells the logs of this moment."""


class Source(Protocol):
    """Where logs are found; the newest `changed` wins."""

    @property
    def folder(self) -> Path:
        """The bundle that is the newest."""
        ...

    @property
    def changed(self) -> float:
        """When something was last added to it."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether more may come."""
        ...

    def files(self) -> Iterable[Path]:
        """The logs of this moment."""
        ...


@dataclass(frozen=True)
class Stored:
    """A bundle."""

    folder: Path

    @property
    def changed(self) -> float:
        """Of its folder."""
        return self.folder.stat().st_mtime

    @property
    def goes_on(self) -> bool:
        """It is over."""
        return False

    def files(self) -> list[Path]:
        """Those that lie inside of it, links to elsewhere left out."""
        root = self.folder.resolve()
        found = [file for kind in KINDS for file in sorted((self.folder / kind).glob("*.log"))]
        return [file for file in found if file.is_file() and file.resolve().is_relative_to(root)]


@dataclass(frozen=True)
class Visited:
    """A run that goes on or is held: its newest bundle, and the consoles of its machines."""

    visit: Visit

    @property
    def folder(self) -> Path:
        """Trials after the first have folders of their own, such as `RUN-2`."""
        first = Path(self.visit.folder)
        found = [first, *first.parent.glob(f"{glob.escape(first.name)}-*")]
        there = [path for path in found if path.is_dir()]
        return max(there, key=lambda path: path.stat().st_mtime, default=first)

    @property
    def changed(self) -> float:
        """Of the newest bundle's folder; 0 while there is none."""
        return self.folder.stat().st_mtime if self.folder.exists() else 0.0

    @property
    def goes_on(self) -> bool:
        """Until everything is unmade."""
        return ledger.is_owned(ledger.path_of(self.visit.run))

    def files(self) -> list[Path]:
        """The consoles are those that are still being written."""
        stored = [file for file in Stored(self.folder).files() if file.parent.name != "consoles"]
        consoles = map(Path, self.visit.consoles.values())
        return [*stored, *(file for file in consoles if file.is_file())]


class Logs:
    """Shows logs line by line, under a title wherever the log changes."""

    def __init__(self, look: Look, role: str | None, say: Callable[[str], None]) -> None:
        self._look, self._role, self._say = look, role, say
        self._shown: dict[Path, int] = {}
        self._latest: Path | None = None

    def _files(self) -> Iterator[Path]:
        """Those of the role, also when it was started more than once (`fwd-2`)."""
        for file in self._look():
            if self._role is None or file.stem == self._role or file.stem.startswith(f"{self._role}-"):
                yield file

    def show(self, lines: int, *, whole: bool) -> bool:
        """Show the last lines of each log, maybe only whole ones; False when there is no log."""
        files = list(self._files())
        for file in files:
            start = max(0, file.stat().st_size - TAIL)
            found = self._read(file, start, whole=whole)
            self._show(file, found[-lines:] if lines else [])
        return bool(files)

    def go_on(self) -> None:
        """Show what has come since; all of a log that was begun anew, such as a new machine's console."""
        for file in self._files():
            with suppress(FileNotFoundError):  # the run has just ended
                start = self._shown.get(file, 0)
                if found := self._read(file, start if start <= file.stat().st_size else 0, whole=True):
                    self._show(file, found)

    def _read(self, file: Path, start: int, *, whole: bool) -> list[str]:
        """The lines from there on; without the last one if it may not be whole."""
        with file.open("rb") as stream:
            stream.seek(start)
            data = stream.read(TAIL)
        end = data.rfind(b"\n") + 1 if whole and len(data) < TAIL else len(data)
        self._shown[file] = start + end
        return data[:end].decode("utf-8", "replace").splitlines()

    def _show(self, file: Path, lines: list[str]) -> None:
        if file != self._latest:
            self._latest = file
            self._say(f"==> {one_line(os.path.relpath(file))} <==")
        for line in lines:
            self._say(plain(line)[:WIDEST])
