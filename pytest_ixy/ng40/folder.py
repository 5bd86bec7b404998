"""The bundle of scenario `teravm`: a folder with `teravm.json`, opened, written, and never trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_ixy import recorded
from pytest_ixy.errors import UsageError
from pytest_ixy.ng40.records import LabRecord

RECORD = "teravm.json"
LARGEST = 64 << 20
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,39}", re.ASCII)
"""Names of labs and lists stand in test ids and in what people paste into shells."""


def write(folder: Path, record: LabRecord) -> None:
    """Write the record into a bundle, whole or not at all."""
    recorded.write(folder / RECORD, record)


def is_one(folder: Path) -> bool:
    """Whether a folder is such a bundle."""
    return (folder / RECORD).is_file()


def load(folder: Path) -> LabRecord:
    """The record of a bundle, which may come from anywhere.

    Raises:
        UsageError: there is none, it is not one that this version can read, or it names what no lab would.
    """
    file = folder / RECORD
    try:
        record = recorded.read(file, LabRecord, "record", LARGEST)
    except OSError as error:
        raise UsageError(
            f"{folder} is no bundle of scenario teravm: {error.strerror}: {file.name}"
        ) from error
    _check(file, record)
    return record


def _check(file: Path, record: LabRecord) -> None:
    """Refuse names that are not fit for test ids, and files outside of the bundle."""
    for what, name in [("lab", record.lab), *(("list", name) for name in _lists(record))]:
        if not LABEL.fullmatch(name):
            raise UsageError(f"{file}: {what}: {name[:80]!a} is not fit for a test id")
    for relative in _files(record):
        path = Path(relative)
        if path.is_absolute() or ".." in path.parts or "\0" in relative:
            raise UsageError(f"{file}: {relative[:200]!a} is not in the bundle")


def _lists(record: LabRecord) -> Iterator[str]:
    yield from record.expected
    yield from (one.name for one in record.lists)


def _files(record: LabRecord) -> Iterator[str]:
    yield from (step.log for step in record.steps)
    for one in record.lists:
        yield from (one.log, *one.files, *one.retries)
        yield from (file for case in one.cases for file in case.files)
