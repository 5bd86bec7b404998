"""Who gave which option: the command line, the environment, pytest's ini file, or config.toml."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ixy import tomlfile
from pytest_ixy.errors import UsageError
from pytest_ixy.options import OPTIONS

# Where options stand in config.toml, when not at its top under their own name.
_PLACES = {
    "packets": ("test", "packets"),
    "image": ("qemu", "image"),
    "accel": ("qemu", "accel"),
    "memory": ("qemu", "memory"),
    "offline": ("qemu", "offline"),
}


@dataclass(frozen=True)
class Given:
    """A value, who gave it (for messages), and the folder that its relative path starts at."""

    value: Any
    origin: str
    folder: Path

    @property
    def text(self) -> str:
        """The value as text.

        Raises:
            UsageError: it is empty or has a control character.
        """
        text = str(self.value)
        if not text.strip():
            raise UsageError(f"{self.origin}: is empty")
        if any(unicodedata.category(letter) == "Cc" for letter in text):
            raise UsageError(f"{self.origin}: {text[:80]!r} has a control character")
        return text

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Let a UsageError name who gave the value."""
        try:
            yield
        except UsageError as error:
            raise UsageError(f"{self.origin}: {error.what}", hint=error.hint) from None

    @property
    def words(self) -> list[Given]:
        """Each of several values: of a list, or of a text with blanks in between."""
        values = self.value.split() if isinstance(self.value, str) else self.value
        return [Given(value, self.origin, self.folder) for value in values]


def from_command_line(cli: Mapping[str, Any], here: Path) -> Iterator[tuple[str, Given]]:
    """By option name; None or absent is not given."""
    for option in OPTIONS:
        if cli.get(option.name) is not None:
            yield option.name, Given(cli[option.name], option.flag, here)


def from_environment(environ: Mapping[str, str], here: Path) -> Iterator[tuple[str, Given]]:
    """The `IXY_…` variables."""
    for option in OPTIONS:
        if environ.get(option.variable):  # CI systems set variables empty to unset them
            yield option.name, Given(environ[option.variable], option.variable, here)


def from_ini(ini: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Given]]:
    """By option name; relative paths start at that folder."""
    for option in OPTIONS:
        value = ini.get(option.name)
        if value is not None and value != "":
            yield option.name, Given(value, f"ini key {option.key}", folder)


def from_file(file: tomlfile.TomlFile, folder: Path) -> Iterator[tuple[str, Given]]:
    """What a config.toml in that folder says, which has been checked."""
    for option in OPTIONS:
        place = _PLACES.get(option.name, (option.name,))
        value: Any = file.data
        for part in place:
            value = value.get(part) if value else None
        if value is not None:
            yield option.name, Given(value, f"{file.where(place)}: {place[-1]}", folder)
