"""Command line > `IXY_…` environment > pytest's ini file > config.toml > default."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy import tomlfile
from pytest_ixy.config import Config, OpenStackTable, Timeouts
from pytest_ixy.errors import UsageError
from pytest_ixy.options import OPTIONS, Option
from pytest_ixy.topology import PciAddresses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["QemuSettings", "Settings", "Timeouts", "resolve"]

# Where options stand in config.toml, when not at its top under their own name.
_PLACES = {
    "packets": ("test", "packets"),
    "image": ("qemu", "image"),
    "accel": ("qemu", "accel"),
    "memory": ("qemu", "memory"),
    "offline": ("qemu", "offline"),
}
SUBJECTS = ("repo", "replay")
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True)
class QemuSettings:
    """What only the provider `qemu` wants: `memory` is MiB for each machine."""

    image: Path | None
    accel: str
    memory: int


@dataclass(frozen=True)
class Settings:
    """Everything that a run is told, checked. Paths are absolute.

    Attributes:
        repo, ref: What to test, as the user wrote it; None when not given.
        replay: A bundle or capture to judge again instead.
        config: The config.toml that was read, if any.
        packets: N, the number of packets that pcap captures.
        given: Names of the options that somebody gave, on the command line or elsewhere.
        offline: True to cut the machines off the internet.
        openstack: That table of config.toml, kept as it is.
    """

    repo: str | None
    replay: Path | None
    ref: str | None
    config: Path | None
    provider: str
    scenario: str
    packets: int
    pci: PciAddresses
    artifacts: Path
    offline: bool
    qemu: QemuSettings
    timeouts: Timeouts
    openstack: OpenStackTable | None = None
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Given:
    """A value, who gave it (for messages), and the folder that its relative path starts at."""

    value: Any
    origin: str
    folder: Path


def resolve(
    *,
    cli: Mapping[str, Any],
    environ: Mapping[str, str],
    ini: Mapping[str, Any],
    ini_folder: Path | None = None,
) -> Settings:
    """Settle every option.

    Args:
        cli: Values from the command line by option name; None or absent where not given.
        environ: The environment, in which `IXY_…` is looked up.
        ini: Values from pytest's ini file by option name.
        ini_folder: Folder of that ini file, where relative paths in it start.

    Raises:
        UsageError: a value or the config.toml is wrong; the text says which and where.
    """
    here = Path.cwd()
    layers = [
        dict(_from_command_line(cli, here)),
        dict(_from_environment(environ, here)),
        dict(_from_ini(ini, ini_folder or here)),
    ]
    given: dict[str, _Given] = {}
    for layer in layers:
        given = {**{name: one for name, one in layer.items() if not _excluded(name, layer, given)}, **given}
    by_name = {option.name: option for option in OPTIONS}
    path = _convert(by_name["config"], given["config"]) if "config" in given else None
    file = tomlfile.read(path) if path else tomlfile.TomlFile("", "", {})
    config = file.check(Config)
    layer = _from_file(file, path or here)
    given = {**{name: one for name, one in layer.items() if not _excluded(name, layer, given)}, **given}
    values = {name: _value(option, given, here) for name, option in by_name.items()}
    return replace(_settings(values, config), given=frozenset(given))


def _excluded(name: str, layer: Mapping[str, _Given], stronger: Mapping[str, _Given]) -> bool:
    """Whether what is to be judged has been said by someone stronger; UsageError when it is said twice."""
    if name not in SUBJECTS:
        return False
    if any(subject in stronger for subject in SUBJECTS):
        return True
    repo, replay = map(layer.get, SUBJECTS)
    if repo and replay:
        raise UsageError(
            f"{repo.origin} and {replay.origin} exclude each other.",
            hint="give a repository to test, or a trial to judge again",
        )
    return False


def _settings(values: dict[str, Any], config: Config) -> Settings:
    qemu = QemuSettings(*(values.pop(name) for name in ("image", "accel", "memory")))
    pci = PciAddresses(**config.test.pci_addresses.model_dump())
    return Settings(**values, pci=pci, qemu=qemu, timeouts=config.timeouts, openstack=config.openstack)


def _from_command_line(cli: Mapping[str, Any], here: Path) -> Iterator[tuple[str, _Given]]:
    for option in OPTIONS:
        if cli.get(option.name) is not None:
            yield option.name, _Given(cli[option.name], option.flag, here)


def _from_environment(environ: Mapping[str, str], here: Path) -> Iterator[tuple[str, _Given]]:
    for option in OPTIONS:
        if environ.get(option.variable):  # CI systems set variables empty to unset them
            yield option.name, _Given(environ[option.variable], option.variable, here)


def _from_ini(ini: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, _Given]]:
    for option in OPTIONS:
        value = ini.get(option.name)
        if value is not None and value != "":
            yield option.name, _Given(value, f"ini key {option.key}", folder)


def _from_file(file: tomlfile.TomlFile, path: Path) -> dict[str, _Given]:
    given = {}
    for option in OPTIONS:
        place = _PLACES.get(option.name, (option.name,))
        value: Any = file.data
        for part in place:
            value = value.get(part) if value else None
        if value is not None:
            origin = f"{file.where(place)}: {place[-1]}"
            given[option.name] = _Given(value, origin, path.parent)
    return given


def _value(option: Option, given: Mapping[str, _Given], here: Path) -> Any:
    if option.name in given:
        return _convert(option, given[option.name])
    return here / option.default if option.type is Path and option.default else option.default


def _convert(option: Option, given: _Given) -> Any:
    """The value as the option's type; UsageError when it is not one."""
    if option.type is bool:
        return _boolean(given)
    if option.type is int:
        return _integer(option, given)
    text = _text(given)
    if option.type is Path:
        return given.folder / Path(text).expanduser()
    if option.choices and text not in option.choices:
        raise UsageError(f"{given.origin}: unknown {option.name} {text!r}{_near(option, text)}")
    return _anchored(text, given) if option.name == "repo" else text


def _near(option: Option, text: str) -> str:
    return tomlfile.nearest(text, option.choices)


def _boolean(given: _Given) -> bool:
    word = str(given.value).strip().lower()
    if word not in _YES | _NO:
        raise UsageError(f"{given.origin}: {word!r} is neither true nor false")
    return word in _YES


def _integer(option: Option, given: _Given) -> int:
    text = str(given.value).strip()
    digits = text.replace("_", "")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else -1  # noqa: PLR2004
    if not option.minimum <= number <= option.maximum:
        bounds = f"from {option.minimum:,} to {option.maximum:,}"
        raise UsageError(f"{given.origin}: {text[:40]!r} is not a whole number {bounds}")
    return number


def _text(given: _Given) -> str:
    text = str(given.value)
    if not text.strip():
        raise UsageError(f"{given.origin}: is empty")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise UsageError(f"{given.origin}: {text[:80]!r} has a control character")
    return text


def _anchored(repo: str, given: _Given) -> str:
    """A repo such as `.` or `../driver` starts, like other paths, where it was written."""
    return str(given.folder / repo) if repo.partition("/")[0] in {".", ".."} else repo
