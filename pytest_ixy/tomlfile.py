"""TOML files into pydantic models, with errors that name the file, the line and the nearest key."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import tomli
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from pytest_ixy import tomlkeys
from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line

LIMIT = 64 * 1024
_SHOWN = 5
_LARGEST = 1 << 63
_KINDS = {
    dict: "a table",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
}


class Table(BaseModel):
    """Base of every table: frozen, no key but the known ones, no guessing of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _simple(value: Any) -> int | float | str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"should be a number or a word, not {_kind(value)}")  # noqa: TRY004 - pydantic's
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError("should be a smaller number")
    return value


_Name = Annotated[str, Field(max_length=80)]
_Simple = Annotated[int | float | str, PlainValidator(_simple)]
RuleTables = dict[_Name, dict[_Name, _Simple]]
"""`[rules.NAME]`: what a rule's options are set to; the rules themselves know which there are."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class TomlFile:
    """A TOML file that has been read: its name for messages, its text and its data."""

    name: str
    text: str
    data: dict[str, Any]

    def line(self, path: tomlkeys.Path) -> int | None:
        """The line of that key, or of the nearest one around it; None for the whole file."""
        lines = tomlkeys.key_lines(self.text)
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path)

    def where(self, path: tomlkeys.Path) -> str:
        """The place of that key, such as `config.toml:7`."""
        line = self.line(path)
        return f"{self.name}:{line}" if line else self.name

    def check(self, model: type[_Model]) -> _Model:
        """The file's data as `model`.

        Raises:
            UsageError: unknown or missing keys, or values of a wrong kind; one line for each.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise UsageError(self._explain(model, error)) from None

    def _explain(self, model: type[BaseModel], error: ValidationError) -> str:
        found = [(self.line(fault["loc"]) or 0, fault) for fault in error.errors(include_url=False)]
        found.sort(key=lambda item: item[0])
        lines = [f"{self.where(fault['loc'])}: {_describe(model, fault)}" for _, fault in found]
        more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        return "\n".join(lines[:_SHOWN] + more)


def read(path: Path) -> TomlFile:
    """Read a TOML file of at most 64 KiB.

    Raises:
        UsageError: it cannot be read, is too long, or is not TOML.
    """
    try:
        if path.is_fifo():  # it would wait for somebody to write
            raise UsageError(f"{one_line(str(path))} is not a regular file")
        with path.open("rb") as stream:
            content = stream.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {one_line(str(path))}: {error.strerror}") from error
    return parse(content, one_line(str(path)))


def parse(content: bytes, name: str) -> TomlFile:
    """Parse TOML; `name` stands for the file in messages.

    Raises:
        UsageError: it is too long or not TOML, with line and column.
    """
    if len(content) > LIMIT:
        raise UsageError(f"{name}: longer than {LIMIT:,} bytes")
    try:
        text = content.decode("utf-8-sig")
        return TomlFile(name, text, tomli.loads(text))
    except tomli.TOMLDecodeError as error:
        line = min(error.lineno, text.count("\n") + 1)
        raise UsageError(f"{name}:{line}: not TOML: {error.msg} (column {error.colno})") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number too long, nesting too deep
        raise UsageError(f"{name}: not TOML: {error}") from None


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """`; did you mean …?` for a word close to a known one, else the known ones."""
    close = difflib.get_close_matches(word[:100], known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def _describe(model: type[BaseModel], fault: Any) -> str:
    """One of pydantic's errors in the words of the file."""
    path = [part for part in fault["loc"] if part != "[key]"]
    subject = _subject(path)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {subject}{nearest(str(path[-1]), _keys(model, path[:-1]))}"
    if fault["type"] == "missing":
        return f"{subject} is missing"
    # The value itself is not shown: it may be a secret.
    message = in_words(fault)
    kind = f", not {_kind(fault['input'])}" if fault["type"].endswith("_type") else ""
    return f"{subject} {message}{kind}".strip()


def in_words(fault: Any) -> str:
    """One of pydantic's errors, such as `should be greater than 0`."""
    message: str = fault["msg"]
    for prefix in ("Value error, ", "Input ", "String "):
        message = message.removeprefix(prefix)
    return message


def _subject(path: list[str | int]) -> str:
    """`'key' in [table]`, or `element 2 of 'key'`."""
    if not path:
        return ""
    key, tables = path[-1], ".".join(_short(str(part)) for part in path[:-1])
    if isinstance(key, int):
        return f"element {key + 1} of {tables!r}"
    return f"{_short(key)!r}" + (f" in [{one_line(tables)}]" if tables else "")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004 (a line of a terminal)


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a date or time")


def _keys(model: type[BaseModel], tables: list[str | int]) -> list[str]:
    """The keys that are known in a table, found by walking from the outermost model."""
    for part in tables:
        if isinstance(part, int):  # which of an array of tables
            continue
        field = model.model_fields.get(part)
        classes = [field.annotation, *get_args(field.annotation)] if field else []
        inner = [each for each in classes if isinstance(each, type) and issubclass(each, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)
