"""A local folder as it stands, with what is not committed yet, without touching it."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy import repository
from pytest_ixy.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ixy.git import Git
    from pytest_ixy.repository import Place

_DIFF = ("diff", "--cached", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv")
_DIFF_LIMIT = 16 << 20  # characters


@dataclass(frozen=True)
class Snapshot:
    """What was copied: `commit` names its content, `diff` tells how it differs from that commit."""

    commit: str
    diff: str
    dirty: bool


def snapshot(git: Git, source: Path, place: Place, folder: Path, exclude: Sequence[Path]) -> Snapshot:
    """Copy `source` as it stands into the new repository `folder`.

    The root of a repository keeps its history; anything else becomes a repository of one commit.
    `exclude` are folders to leave out, such as those that this run writes to.
    """
    copier = _Copier(git, tuple(exclude))
    if place.top == source and place.commit:
        diff = copier.with_history(source, folder)
        return Snapshot(place.commit, diff, dirty=bool(diff))
    return _with_one_commit(copier, source, place, folder)


def _with_one_commit(copier: _Copier, source: Path, place: Place, folder: Path) -> Snapshot:
    git = copier.git
    inside = git.at(folder)
    repository.initialise(git, folder)
    if place.top:
        nested = copier.copy(source, _files(git.at(source)), folder)
    else:
        bound = git.with_environment(GIT_DIR=str(folder / ".git"), GIT_WORK_TREE=str(source))
        nested = copier.copy(source, _files(bound.at(source)), folder)
    tree = repository.commit_all(git, folder)
    empty = inside.text("hash-object", "-t", "tree", "-w", "--stdin")
    if not (place.top and place.commit):
        return Snapshot(tree, _diff(inside, empty) + nested, dirty=True)
    base = _tree_at_head(git.at(source), place) or empty
    objects = git.at(source).text("rev-parse", "--path-format=absolute", "--git-path", "objects")
    lent = inside.with_environment(GIT_ALTERNATE_OBJECT_DIRECTORIES=objects)
    diff = _diff(lent, base) + nested
    return Snapshot(place.commit, diff, dirty=bool(diff))


def _tree_at_head(git: Git, place: Place) -> str | None:
    """The subfolder at HEAD; None when it is not there, or was something else."""
    tree = git.maybe("rev-parse", "--verify", "--quiet", f"HEAD:{place.inside}")
    return tree if tree and git.text("cat-file", "-t", tree) == "tree" else None


@dataclass(frozen=True)
class _Copier:
    """Copies work trees into new repositories, and nested repositories in them likewise."""

    git: Git
    exclude: tuple[Path, ...]

    def with_history(self, source: Path, folder: Path, prefix: str = "") -> str:
        """Copy a repository; how it differs from HEAD. `prefix` is where it is nested."""
        repository.clone(self.git, str(source), folder, shown=str(source))
        inside = self.git.at(folder)
        head = self.git.at(source).text("rev-parse", "--verify", "HEAD^{commit}")
        inside.raw("update-ref", "--no-deref", "HEAD", head)
        inside.raw("read-tree", head)
        nested = self.copy(source, _files(self.git.at(source)), folder, prefix)
        index = inside.text("rev-parse", "--path-format=absolute", "--git-path", "pytest-ixy-index")
        draft = inside.with_environment(GIT_INDEX_FILE=index)
        draft.raw("read-tree", head)
        draft.raw("add", "--all", "--force", "--", ".")
        diff = _diff(draft, head, prefix)
        Path(index).unlink()
        inside.maybe("submodule", "--quiet", "init")  # those that came along are known as such
        return diff + nested

    def copy(self, source: Path, names: Sequence[str], folder: Path, prefix: str = "") -> str:
        """Copy the files that are there; how nested repositories differ from their commits."""
        diffs = []
        for name in names:
            origin, copy = source / name, folder / name
            if _behind_link(origin) or any(origin.is_relative_to(path) for path in self.exclude):
                continue
            if origin.is_dir() and not origin.is_symlink():
                diffs.append(self._copy_nested(origin, copy, f"{prefix}{name}/"))
            else:
                _copy_file(origin, copy)
        return "".join(diffs)

    def _copy_nested(self, source: Path, folder: Path, prefix: str) -> str:
        place = repository.locate(self.git, source)
        if place.top == source and place.commit:
            return self.with_history(source, folder, prefix)
        folder.mkdir(parents=True, exist_ok=True)
        if place.top == source:
            return self.copy(source, _files(self.git.at(source)), folder, prefix)
        return ""  # a submodule that is not there yet


def _files(git: Git) -> list[str]:
    """Tracked and not-ignored files, from the folder; nested repositories as folders."""
    listed = git.raw("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({os.fsdecode(name).rstrip("/") for name in listed.split(b"\0") if name})


def _behind_link(path: Path) -> bool:
    """True when a folder on the way is a link now: then the file is not where git thinks."""
    return os.path.realpath(path.parent) != str(path.parent)


def _copy_file(origin: Path, copy: Path) -> None:
    """Copy one file or link; one that is gone, or is neither, is left out."""
    try:
        mode = origin.lstat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, copy, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise UsageError(f"cannot copy {origin}: {error.strerror}") from error


def _diff(git: Git, base: str, prefix: str = "") -> str:
    prefixes = (f"--src-prefix=a/{prefix}", f"--dst-prefix=b/{prefix}")
    text = git.raw(*_DIFF, *prefixes, base).decode("utf-8", "replace")
    return text if len(text) <= _DIFF_LIMIT else text[:_DIFF_LIMIT] + "\n(cut here: the diff is longer)\n"
