"""Which tests a run has: its steps, its lists, and the cases that somebody knows before they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_ixy.errors import UsageError
from pytest_ixy.ng40 import folder
from pytest_ixy.ng40.records import Expected, LabRecord, ListRecord

CONFIG = "config"
LATEST = 50
"""So many bundles are looked at, the newest first."""


def steps(fegs: Iterable[str], *, connect: bool, upgrade: bool) -> tuple[str, ...]:
    """What comes before the lists, in order."""
    nodes = ("agw", *fegs)
    upgrades = [f"upgrade-{node}" for node in nodes] if upgrade else []
    return (
        *(["connect"] if connect else []),
        "lease",
        "tag",
        *upgrades,
        *(f"health-{node}" for node in nodes),
        "idle",
    )


def of_bundles(artifacts: Path, lab: str, name: str) -> Expected:
    """What the newest bundle of that lab says that a list holds; nothing where none knows.

    One in which the list ran to its end wins: a list that was cut off may have named only some of its cases.
    """
    best = Expected()
    for path, record in _newest(artifacts, lab):
        found = record.testlist(name)
        if found and found.cases and (found.end == "finished" or not best.cases):
            best = Expected(cases=_held(found), source=str(path))
            if found.end == "finished":
                break
    return best


def _held(ran: ListRecord) -> tuple[str, ...]:
    """The cases that were in a list: planned or judged, also where the verdict was cut off."""
    return tuple(case.name for case in ran.cases)


def _newest(artifacts: Path, lab: str) -> Iterator[tuple[Path, LabRecord]]:
    if not artifacts.is_dir():
        return
    for path in sorted(artifacts.glob(f"*-{lab}-*/{folder.RECORD}"), reverse=True)[:LATEST]:
        try:
            record = folder.load(path.parent)
        except UsageError:  # somebody else's, or damaged: then it does not help
            continue
        if record.lab == lab:
            yield path.parent, record


def strangers(record: LabRecord, name: str) -> tuple[str, ...]:
    """Cases of a list that ran and that nobody had expected."""
    ran, known = record.testlist(name), record.expected.get(name, Expected())
    return tuple(case for case in _held(ran) if case not in known.cases) if ran else ()
