"""Get a repository once, pin the commit and read its `ixy-ci.toml`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy import git as gits
from pytest_ixy import nics, refs, repository, source, spec, worktree
from pytest_ixy.bundle import TargetRecord
from pytest_ixy.errors import UsageError
from pytest_ixy.spec import Spec
from pytest_ixy.worktree import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ixy.git import Git
    from pytest_ixy.repository import Place
    from pytest_ixy.source import Source

__all__ = ["Spec", "Target", "fetch"]

_SHORT = 7
_SUBJECT = 200


@dataclass(frozen=True)
class Target:
    """A repository at one commit.

    Attributes:
        record: What the manifest says of it.
        spec: Its `ixy-ci.toml`.
        folder: A complete git work tree, ready to be sent to nodes; it holds no credentials.
        diff: How the work tree differs from the commit, for `git apply`; empty when clean.
    """

    record: TargetRecord
    spec: Spec
    folder: Path
    diff: str

    @property
    def unsupported(self) -> Mapping[str, tuple[str, ...]]:
        """Parameters of tests, by scenario, that it declares not to support."""
        return self.spec.unsupported.by_scenario

    def on(self, nic: str | None) -> Target:
        """The same under the name that its tests have on NICs of a model that was asked for."""
        label = nics.label(self.record.label, nic)
        return replace(self, record=self.record.model_copy(update={"label": label}))


def fetch(  # noqa: PLR0913 - most are keywords
    repo: str,
    ref: str | None,
    into: Path,
    *,
    timeout: float = 600,
    exclude: Sequence[Path] = (),
    elsewhere: bool = False,
) -> Target:
    """Get a target into a new folder below `into`.

    Args:
        repo: URL, `owner/name` on GitHub, or a local folder. A folder without `ref` is taken as it
            stands: tracked and not-ignored files, committed or not.
        ref: Branch, tag, or full or short SHA; None for the default branch or the work tree.
        into: Folder of this run.
        timeout: Seconds for all of it.
        exclude: Folders that are no part of a local target though they lie in it, such as artifacts.
        elsewhere: Whether it can be nothing on this machine, and is fetched with none of this user's keys,
            because somebody else names it.

    Raises:
        UsageError: no such repository or commit, or its `ixy-ci.toml` is not valid.
        LabError: git is missing or took too long.
    """
    origin = source.remote(repo) if elsewhere else source.parse(repo)
    if ref is not None:
        refs.check(ref)
    folder = _new_folder(into.resolve(), origin.name)
    git = gits.start(folder.parent, timeout)
    if elsewhere:
        git = gits.keyless(git)
    if origin.local:
        git = replace(git, protocols=("file", *git.protocols))
    skipped = [folder.parent, *(path.resolve() for path in exclude)]
    taken, subject = _get(git, origin, ref, folder, skipped)
    label = f"{origin.name}@{taken.commit[:_SHORT]}" + "+dirty" * taken.dirty
    record = TargetRecord(
        label=label,
        name=origin.name,
        source=origin.shown,
        ref=ref,
        commit=taken.commit,
        dirty=taken.dirty,
        subject=subject,
    )
    return Target(record, spec.read(folder, label), folder, taken.diff)


def _new_folder(into: Path, name: str) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    if (into / name).exists():
        raise UsageError(f"{into / name} exists already", hint="give a new folder")
    return into / name


def _get(
    git: Git, origin: Source, ref: str | None, folder: Path, exclude: list[Path]
) -> tuple[Snapshot, str]:
    """What was taken, and the subject of its commit."""
    if origin.folder is None:
        url = origin.url or ""
        return _clone(gits.login(git, url, origin.login), url, origin, ref, folder)
    place = repository.locate(git, origin.folder)
    if place.bare:
        return _clone(git, str(origin.folder), origin, ref, folder)
    if ref is None:
        taken = worktree.snapshot(git, origin.folder, place, folder, exclude)
        return taken, _subject(git.at(origin.folder), place.commit)
    if place.top is None:
        raise UsageError(f"{origin.shown} is not in a git repository, so there is no {ref!r} of it")
    if place.inside == Path():
        return _clone(git, str(place.top), origin, ref, folder)
    return _clone_part(git, place, origin, ref, folder)


def _clone(git: Git, url: str, origin: Source, ref: str | None, folder: Path) -> tuple[Snapshot, str]:
    repository.clone(git, url, folder, shown=url)
    inside = git.at(folder)
    commit = _commit(inside, ref, origin.shown)
    inside.raw("checkout", "--quiet", "--force", "--detach", commit)
    inside.raw("submodule", "--quiet", "update", "--init", "--recursive")
    return Snapshot(commit, "", dirty=False), _subject(inside, commit)


def _clone_part(git: Git, place: Place, origin: Source, ref: str, folder: Path) -> tuple[Snapshot, str]:
    """A subfolder at a commit: check out the whole beside it, and keep that part."""
    whole = folder.with_name(folder.name + ".whole")
    taken = _clone(git, str(place.top), origin, ref, whole)
    part = whole / place.inside
    if part.resolve() != part or not part.is_dir():
        raise UsageError(f"{ref!r} of {place.top} has no folder {str(place.inside)!r}")
    for root, _, files in os.walk(part):
        if ".git" in files:  # of a submodule: it points to what stays behind
            (Path(root) / ".git").unlink()
    part.rename(folder)
    shutil.rmtree(whole)
    repository.initialise(git, folder)
    repository.commit_all(git, folder)
    return taken


def _commit(git: Git, ref: str | None, shown: str) -> str:
    try:
        return refs.resolve(git, ref, shown)
    except UsageError:
        if ref is None or not refs.fetchable(ref):
            raise
        # Pull requests are no branches of a clone, but their origin may give them.
        mapped = f"+{ref}:refs/asked/{ref.removeprefix('refs/')}"
        if git.maybe("fetch", "--quiet", "--no-tags", "origin", mapped) is None:
            raise
        return refs.resolve(git, ref, shown)


def _subject(git: Git, commit: str | None) -> str:
    if commit is None:
        return ""
    message = git.text("log", "-1", "--no-show-signature", "--format=%B", commit)
    return gits.printable(message.split("\n", 1)[0]).strip()[:_SUBJECT]
