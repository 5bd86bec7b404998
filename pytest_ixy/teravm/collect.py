"""What a list left on the controller comes into the bundle: the run's log, logs and captures of cases."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_ixy.errors import LabError
from pytest_ixy.ng40.records import CaseRecord
from pytest_ixy.ng40.shapes import PASS
from pytest_ixy.printable import one_line
from pytest_ixy.remote.number import read_number
from pytest_ixy.teravm.detached import Detached

MIB = 1 << 20
MOST = 2000
"""Files of one kind that are looked at."""
TABLE = 8 * MIB
"""Bytes that their table may have."""
RUN_LOG = 64 * MIB
SLOW, PATIENCE = 100_000, 60.0
"""Bytes a second that a connection carries at the least, and seconds beside that."""
MOST_WORDS = 30
_LONGEST = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")
_ABOUT_RUN, _LOG, _CAPTURE = "run", "log", "pcap"


@dataclass(frozen=True)
class Found:
    """A file on the controller.

    Attributes:
        kind: `run` for the run's log, `log` or `pcap`.
        size: Bytes.
        path: Where it can be read, by a name of ours.
        name: Its own name, which may be anything.
    """

    kind: str
    size: int
    path: str
    name: str


@dataclass
class Collected:
    """What came.

    Attributes:
        by_case: Files in the bundle, relative to it, by the case that they are of.
        others: Files of no single case.
        run_log: The run's log, if it came.
        lost: What did not come, in words.
    """

    by_case: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    others: list[str] = field(default_factory=list)
    run_log: Path | None = None
    lost: list[str] = field(default_factory=list)

    def told(self) -> tuple[str, ...]:
        """What did not come, the first of it in words and then its number."""
        more = len(self.lost) - MOST_WORDS
        shown = [words[:300] for words in self.lost[:MOST_WORDS]]
        return (*shown, *([f"… and {more:,} more"] if more > 0 else []))


class Collector:
    """Fetches what a list left.

    Args:
        detached: The list.
        bundle: The bundle.
        folder: The list's folder in it.
        cases: The cases, by whose names files are known.
    """

    def __init__(self, detached: Detached, bundle: Path, folder: Path, cases: Sequence[CaseRecord]) -> None:
        self._detached, self._bundle, self._folder = detached, bundle, folder
        self._cases = {case.name: case for case in cases}
        self._room = detached.controller.table.collect * MIB
        self._got = Collected()

    def collect(self) -> Collected:
        """Fetch as much as may be had; never raises a LabError, which becomes words in `lost`."""
        try:
            found = self._listed()
        except LabError as error:
            self._lose(f"nothing could be collected: {error.what}")
            return self._got
        for file in sorted(found, key=self._rank):
            self._take(file)
        return self._got

    def _listed(self) -> list[Found]:
        table = self._detached.controller.table
        folders = {_LOG: table.case_logs, _CAPTURE: table.captures}
        words = [posixpath.join(table.folder, table.run_logs)]
        for kind, folder in folders.items():
            words += [kind, posixpath.join(table.folder, folder)]
        said = self._detached.controller.ask(self._detached.id, "gather", str(MOST), *words)
        for word, kind in said:
            if word == "missing":
                self._lose(f"there is no folder {folders.get(kind, kind)}")
            if word == "more":
                self._lose(
                    f"more than {MOST:,} files: the others of {folders.get(kind, kind)} were left there"
                )
        stage = next((rest for word, rest in said if word == "gathered"), "")
        return list(_table(self._fetched_table(stage), stage))

    def _fetched_table(self, stage: str) -> bytes:
        local = self._folder / "table"
        self._fetch(f"{stage}/table", local, TABLE, PATIENCE)
        try:
            return local.read_bytes()
        finally:
            local.unlink()

    def _rank(self, file: Found) -> tuple[bool, bool, bool, str]:
        """The run's log first, then what tells of cases that did not pass, and logs before captures."""
        case = self._cases.get(self._case_of(file))
        passed = case is not None and case.verdict == PASS
        return file.kind != _ABOUT_RUN, passed, file.kind != _LOG, file.name

    def _case_of(self, file: Found) -> str:
        """The case whose name is in the file's; the longest one of several. Empty for none."""
        if file.kind == _ABOUT_RUN:
            return ""
        inside = [name for name in self._cases if _holds(file.name, name)]
        return max(inside, key=len, default="")

    def _take(self, file: Found) -> None:
        own = file.kind == _ABOUT_RUN
        limit = RUN_LOG if own else self._room
        if file.size > limit:
            where = (
                "" if own else f", beyond the {self._detached.controller.table.collect:,} MiB of `collect`"
            )
            self._lose(f"{one_line(file.name)[:_LONGEST]}: {file.size:,} bytes{where}")
            return
        local = _free(self._folder / file.kind, file.name)
        try:
            size = self._fetch(file.path, local, limit, PATIENCE + file.size / SLOW)
        except LabError as error:
            self._lose(f"{one_line(file.name)[:_LONGEST]}: {error.what}")
            return
        self._note(file, local)
        self._room -= 0 if own else size

    def _note(self, file: Found, local: Path) -> None:
        inside = str(local.relative_to(self._bundle))
        if file.kind == _ABOUT_RUN:
            self._got.run_log = local
        if case := self._case_of(file):
            self._got.by_case[case].append(inside)
        else:
            self._got.others.append(inside)

    def _fetch(self, remote: str, local: Path, limit: int, timeout: float) -> int:
        return self._detached.controller.steadily(
            lambda host: host.fetch(remote, local, timeout=timeout, root=False, limit=limit)
        )

    def _lose(self, words: str) -> None:
        self._got.lost.append(one_line(words))


def _table(data: bytes, stage: str) -> Iterator[Found]:
    """What the table says: four fields a file, each ended by a NUL."""
    fields = [one.decode("utf-8", "replace") for one in data.split(b"\0")[:-1]]
    for kind, size, number, name in zip(*[iter(fields)] * 4, strict=False):
        yield Found(kind, read_number(size), f"{stage}/{read_number(number)}", name)


def _holds(file: str, case: str) -> bool:
    """Whether a file's name has a case's name in it, not as a part of a longer word."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(case)}(?![A-Za-z0-9])", file) is not None


def _free(folder: Path, name: str) -> Path:
    """A path in a folder for a file of that name, which may be anything; nobody else's."""
    safe = _UNSAFE.sub("_", name)[-_LONGEST:].lstrip(".-") or "file"
    return next(path for path in _candidates(folder, safe) if not path.exists())


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    yield from (folder / f"{number}-{name}" for number in range(2, 10 * MOST))


def with_files(cases: Iterable[CaseRecord], collected: Collected) -> tuple[CaseRecord, ...]:
    """The cases with their files."""
    return tuple(
        case.model_copy(update={"files": tuple(collected.by_case.get(case.name, ()))}) for case in cases
    )
