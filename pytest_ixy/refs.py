"""From what a user calls a version to the one commit that is meant.

The user's word is compared with names that git lists; it reaches git only as hexadecimal digits.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pytest_ixy.errors import UsageError

if TYPE_CHECKING:
    from pytest_ixy.git import Git

_SHA = re.compile(r"[0-9a-fA-F]{4,64}")
_FULL = (40, 64)
# What git itself refuses in names, and what a shell would act on.
_REFUSED = re.compile(r"""^-|\.\.|@\{|^/|/$|//|[\s\x00-\x1f\x7f~^:?*\[\\$`'"<>|;&!]""")
_FORMAT = "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"


def check(ref: str) -> None:
    """Refuse what cannot be the name of a version.

    Raises:
        UsageError: it is empty, too long, or has characters that names do not have.
    """
    if not ref or len(ref) > 250 or _REFUSED.search(ref) or not ref.isprintable():  # noqa: PLR2004 (git's bound)
        raise UsageError(f"{ref[:80]!r} is not the name of a branch, tag or commit")


def resolve(git: Git, ref: str | None, shown: str) -> str:
    """The commit that `ref` means in a clone; without one, or for HEAD, the default branch's.

    Branch, tag, and full or short SHA are tried in this order. `refs/…` and full SHAs that the clone
    lacks (pull requests) are asked of the origin, if it gives them.

    Raises:
        UsageError: there is no such commit, or more than one.
    """
    if ref is None or ref == "HEAD":
        head = git.maybe("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if head is None:
            raise UsageError(f"{shown} has no commit at its default branch", hint="give --ixy-ref")
        return head
    check(ref)
    names = _names(git)
    found = _by_name(names, ref) or _by_sha(git, ref)
    if len(found) == 1:
        return found.pop()
    if found:
        kinds = " or ".join(f"{commit[:12]}" for commit in sorted(found))
        raise UsageError(
            f"{ref!r} is ambiguous in {shown}: {kinds}", hint="give heads/…, tags/… or a full SHA"
        )
    raise UsageError(f"{shown} has no branch, tag or commit {ref!r}{_close(names, ref)}")


def fetchable(ref: str) -> bool:
    """True for what a clone may lack and the origin may still give: a full SHA, or `refs/…`."""
    return ref.startswith("refs/") or (bool(_SHA.fullmatch(ref)) and len(ref) in _FULL)


def _names(git: Git) -> dict[str, str]:
    """Branches as `heads/…`, tags as `tags/…` and what was fetched, with their commits."""
    names = {}
    for line in git.text(
        "for-each-ref", _FORMAT, "refs/remotes/origin", "refs/tags", "refs/asked"
    ).splitlines():
        name, kind, commit, peeled_kind, peeled = line.split("\0")
        if "commit" in (kind, peeled_kind) and name != "refs/remotes/origin/HEAD":
            short = name.removeprefix("refs/").replace("remotes/origin/", "heads/", 1)
            names[short] = peeled if peeled_kind == "commit" else commit
    return names


def _by_name(names: dict[str, str], ref: str) -> set[str]:
    ref = ref.removeprefix("refs/")
    exact = {names[ref]} if ref in names else set()
    return exact or {names[name] for name in (f"heads/{ref}", f"tags/{ref}", f"asked/{ref}") if name in names}


def _by_sha(git: Git, ref: str) -> set[str]:
    if not _SHA.fullmatch(ref):
        return set()
    found = set()
    for name in git.text("rev-parse", f"--disambiguate={ref.lower()}").split():
        commit = git.maybe("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        found |= {commit} if commit and git.maybe("cat-file", "-t", name) == "commit" else set()
    return found


def _close(names: dict[str, str], ref: str) -> str:
    known = sorted({name.partition("/")[2] for name in names})
    close = difflib.get_close_matches(ref.removeprefix("refs/"), known, n=5, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(name) for name in close)}?"
    return f"; it has {', '.join(repr(name) for name in known[:8])}" if known else ""
