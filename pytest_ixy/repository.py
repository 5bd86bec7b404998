"""Repositories on this machine: where a folder stands in one, and making new ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.errors import UsageError

if TYPE_CHECKING:
    from pytest_ixy.git import Git

# --no-local: a pack of its own, no links into the origin and nothing borrowed from it.
_CLONE = ("clone", "--quiet", "--template=", "--origin", "origin", "--no-checkout", "--no-local", "--")


@dataclass(frozen=True)
class Place:
    """Where a folder stands in a repository.

    Attributes:
        top: The work tree's root, or the bare repository; None outside of any.
        inside: The folder's path from there, `.` for the root itself.
        commit: The commit at HEAD; None when there is none yet.
        bare: True for a repository without a work tree.
    """

    top: Path | None
    inside: Path = Path()
    commit: str | None = None
    bare: bool = False


def locate(git: Git, folder: Path) -> Place:
    """Find the repository around a resolved folder.

    Raises:
        UsageError: it belongs to another user, whom git does not trust, or it is a `.git` itself.
    """
    git = git.at(folder)
    answer = git.maybe("rev-parse", "--is-bare-repository", "--absolute-git-dir")
    if answer is None:
        return Place(None)
    bare, directory = answer.split("\n", 1)
    commit = git.maybe("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if bare == "true":
        itself = Path(directory).resolve() == folder
        return Place(folder, commit=commit, bare=True) if itself else Place(None)
    shown = git.maybe("rev-parse", "--show-toplevel")
    if shown is None:
        raise UsageError(f"{folder} is inside of a repository's .git", hint="give the folder around it")
    top = Path(shown).resolve()
    return Place(top, folder.relative_to(top), commit)


def clone(git: Git, url: str, folder: Path, *, shown: str) -> None:
    """Clone all history, check nothing out, and let the clone remember only `shown`."""
    git.raw(*_CLONE, url, str(folder))
    git.at(folder).raw("remote", "set-url", "origin", shown)


def initialise(git: Git, folder: Path) -> None:
    """Make an empty repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git.at(folder).raw("init", "--quiet", "--template=", "--initial-branch=main")


def commit_all(git: Git, folder: Path) -> str:
    """Commit all files of a repository; the id of the tree, which names their content."""
    inside = git.at(folder)
    inside.raw("add", "--all", "--force", "--", ".")
    tree = inside.text("write-tree")
    inside.raw("update-ref", "HEAD", inside.text("commit-tree", "-m", "snapshot by pytest-ixy", tree))
    return tree
