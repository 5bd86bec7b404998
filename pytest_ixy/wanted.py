"""Which targets somebody wants tested: of each its repository, version, dialect, and who plays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy import cast, dialect, source
from pytest_ixy import nics as models
from pytest_ixy.cast import Cast
from pytest_ixy.dialect import Dialect
from pytest_ixy.errors import UsageError
from pytest_ixy.given import Given

if TYPE_CHECKING:
    from pytest_ixy.config import Config, TargetTable
    from pytest_ixy.tomlfile import TomlFile

SUBJECTS = ("repo", "replay")
"""The options of which one is needed."""
TABLES = "targets"
"""The array of tables in config.toml."""
FOLDERS = {".", ".."}


@dataclass(frozen=True)
class Wanted:
    """A target, as it was asked for.

    Attributes:
        repo, ref: The repository and its version, None where none was named.
        dialect: What its packets look like; None where nobody said.
        roles: Who plays in place of its own programs.
        nics: On which models of NICs it is tested; empty where nobody said.
    """

    repo: str
    ref: str | None = None
    dialect: Dialect | None = None
    roles: Cast = field(default_factory=dict)
    nics: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigFile:
    """config.toml as text and as data, and the folder that it lies in."""

    file: TomlFile
    config: Config
    folder: Path


def settle(
    strong: Sequence[Mapping[str, Given]], strongest: Mapping[str, Given], toml: ConfigFile
) -> tuple[Wanted, ...]:
    """What is to be tested, if anything; `[[targets]]` counts as `repo` in the same file does.

    Args:
        strong: What was given by those who win over the file.
        strongest: Of each option what counts.
        toml: The file.

    Raises:
        UsageError: a value is wrong or said twice.
    """
    ref, config = strongest.get("ref"), toml.config
    if config.targets and (config.repo or config.replay):
        other = "repo" if config.repo else "replay"
        raise UsageError(f"{toml.file.where((TABLES,))}: [[{TABLES}]] and {other} exclude each other.")
    if not config.targets or any(subject in strongest for subject in SUBJECTS):
        return by_option(strongest.get("repo"), ref)
    overruled = {name for layer in strong for name in layer}
    return tuple(_over(one, overruled) for one in by_tables(toml, ref))


def _over(target: Wanted, overruled: Collection[str]) -> Wanted:
    """The target without what somebody stronger says of all."""
    if "dialect" in overruled:
        target = replace(target, dialect=None)
    return replace(target, nics=()) if "nic" in overruled else target


def anchored(repo: str, given: Given) -> str:
    """A repo such as `.` or `../driver` starts, like other paths, where it was written."""
    return str(given.folder / repo) if repo.partition("/")[0] in FOLDERS else repo


def by_option(given: Given | None, ref: Given | None) -> tuple[Wanted, ...]:
    """What `--ixy-repo` and the like name, each maybe with `@REF`.

    Raises:
        UsageError: an empty word, or one `--ixy-ref` for several.
    """
    pieces = list(_pieces(given)) if given else []
    if ref and len(pieces) == 1:  # then an @ is part of the name
        return (Wanted(anchored(pieces[0].text, pieces[0]), ref.text),)
    if pieces:
        _refuse_one_ref(ref, [piece.text for piece in pieces])
    return tuple(map(_versioned, pieces))


def by_tables(toml: ConfigFile, ref: Given | None) -> Iterator[Wanted]:
    """What `[[targets]]` in a config.toml names.

    Raises:
        UsageError: a value is wrong, or there is one `--ixy-ref` for several.
    """
    _refuse_one_ref(ref, [table.repo for table in toml.config.targets])
    for number, table in enumerate(toml.config.targets):
        values = table.model_dump()
        where = {key: f"{toml.file.where((TABLES, number, key))}: {key}" for key in values}
        yield _of_table(table, {key: Given(values[key], where[key], toml.folder) for key in values})


def _of_table(table: TargetTable, given: Mapping[str, Given]) -> Wanted:
    repo, roles, spoken = given["repo"], given["roles"], given["dialect"]
    wanted = Wanted(anchored(repo.text, repo), given["ref"].text) if table.ref else _versioned(repo)
    with roles.blamed():
        players = cast.parse(f"{role}={player}" for role, player in table.roles.items())
    with given["nics"].blamed():
        named = models.parse(table.nics)
    players = {role: anchored(player, roles) for role, player in players.items()}
    wanted = replace(wanted, roles=players, nics=named)
    if table.dialect is None:
        return wanted
    with spoken.blamed():
        return replace(wanted, dialect=dialect.find(spoken.text, spoken.folder))


def _pieces(given: Given) -> Iterator[Given]:
    """Each repository: of a list, of lines, of words in a line. A folder's name may have blanks."""
    text = isinstance(given.value, str) and given.value.strip()
    for line in filter(str.strip, text.splitlines()) if text else [*given.value] or [""]:
        whole = Given(line, given.origin, given.folder)
        folder = (given.folder / whole.text).expanduser()
        yield from [whole] if source.is_folder(folder) else whole.words


def _versioned(given: Given) -> Wanted:
    whole = anchored(given.text, given)
    repo, ref = source.versioned(whole, here=True)
    return Wanted(anchored(repo, given), ref)


def _refuse_one_ref(ref: Given | None, repos: Sequence[str]) -> None:
    if ref:
        written = " ".join(f"--ixy-repo={source.redact(repo)}@REF" for repo in repos[:3])
        raise UsageError(
            f"{ref.origin}: one version for {len(repos)} repositories, which have commits of their own.",
            hint=f"write each one's behind its name: {written}",
        )
