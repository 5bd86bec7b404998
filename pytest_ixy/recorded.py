"""Records on disk: written whole or not at all, read with bounds and with words for what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pytest_ixy.errors import UsageError
from pytest_ixy.record import Record
from pytest_ixy.tomlfile import in_words

R = TypeVar("R", bound=Record)


def write(file: Path, record: Record) -> None:
    """Write a record into a file, whose folder is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".part")
    draft.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def read(file: Path, kind: type[R], called: str, most: int) -> R:
    """The record in a file, which may come from anywhere.

    Args:
        file: Where it is.
        kind: What it should be.
        called: What people call that, such as `manifest`.
        most: Bytes that it may have; whole MiB.

    Raises:
        OSError: it cannot be read.
        UsageError: it is something that would block or fill the memory, or no such record.
    """
    try:
        return kind.model_validate_json(_bytes(file, called, most))
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{file}: {where[:200]!r} {in_words(first)[:200]}") from error


def _bytes(file: Path, called: str, most: int) -> bytes:
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a regular file")
    with file.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise UsageError(f"{file} is larger than {most >> 20} MiB, so it is no {called}")
    return data
