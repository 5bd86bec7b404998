"""What `--ixy-repo` says: a URL, OWNER/NAME on GitHub, or a folder."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_ixy.errors import UsageError

PROTOCOLS = ("https", "http", "ssh", "git", "file")
_KEYLESS = ("https://", "http://", "git://")
_GITHUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_SCP = re.compile(r"(?:[A-Za-z0-9._][A-Za-z0-9._+-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!/*$)[^:\s@-][^\s@]*")
_LOGIN = re.compile(r"""(://|^|[\s'"])(?:[^\s/'":@]*:[^\s/'"]*|(?<=://)[^\s/'"]*)@""")
_TOKEN = 16  # characters from which on a user name may be a token
_HELP = "give a URL (https, ssh, git, file), OWNER/NAME on GitHub, or an existing folder"


@dataclass(frozen=True, repr=False)
class Source:
    """Where a target comes from; neither its repr nor `shown` holds a credential.

    Attributes:
        name: A name for test ids and folders, of letters, digits, `.`, `_` and `-`.
        shown: What people and machines may see of it.
        url: What git clones, without credentials; None for a folder.
        login: `user:password@` of the URL, for git alone.
        folder: The local folder, resolved; None for a URL.
    """

    name: str
    shown: str
    url: str | None = None
    login: str = ""
    folder: Path | None = None

    def __repr__(self) -> str:
        return f"Source({self.shown!r})"

    @property
    def local(self) -> bool:
        """True when it lies on this machine, so that its submodules may lie here too."""
        return self.folder is not None or (self.url or "").startswith("file:")


def parse(repo: str) -> Source:
    """Read what the user gave.

    Raises:
        UsageError: it is none of the three, or may be meant to be something else to git.
    """
    _refuse_odd(repo)
    if is_folder(folder := _path(repo)):
        real = folder.resolve()
        return Source(safe_name(real.name), str(real), folder=real)
    return _elsewhere(repo)


def remote(repo: str) -> Source:
    """The same for what somebody else wrote: a URL or OWNER/NAME, and nothing on this machine.

    Nor is it fetched with this user's keys (ssh), which may open more than its author should see.

    Raises:
        UsageError: it is neither.
    """
    _refuse_odd(repo)
    found = _elsewhere(repo) if repo.startswith(_KEYLESS) or _GITHUB.fullmatch(repo) else None
    if found is None:
        hint = "give a URL (https, http, git) or OWNER/NAME"
        raise UsageError(f"{redact(repo)[:200]!r} is not a public repository elsewhere", hint=hint)
    return found


def versioned(text: str, *, here: bool) -> tuple[str, str | None]:
    """The repository and the version of `REPOSITORY@REF`; None where there is no `@REF`.

    The `@` of `user@host` is none of that, nor is one in the name of a folder, if one `here` may be meant.
    """
    if here and is_folder(_path(text)):
        return text, None
    start = _behind_host(text)
    repo, at, ref = text[start:].rpartition("@")
    return (text[:start] + repo, ref) if at else (text, None)


def _behind_host(text: str) -> int:
    """Where the path of a URL, or of git's short form `user@host:path`, begins."""
    scheme, double, rest = text.partition("://")
    if double:
        return len(scheme) + len(double) + len(rest.partition("/")[0])
    host, colon, _ = text.partition(":")
    return len(host) if colon and "/" not in host else 0


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~") else Path(text)


def _refuse_odd(repo: str) -> None:
    if not repo.strip() or repo.startswith("-") or _unprintable(repo):
        raise UsageError(f"{repo[:200]!r} is not a repository", hint=_HELP)


def _elsewhere(repo: str) -> Source:
    if "://" in repo:
        return _from_url(repo)
    if _GITHUB.fullmatch(repo):
        return _from_url(f"https://github.com/{repo.removesuffix('.git')}")
    if _SCP.fullmatch(repo):
        return Source(safe_name(repo.partition(":")[2]), repo, url=repo)
    raise UsageError(
        f"there is no folder {redact(repo)[:200]!r}, nor is it a repository's address", hint=_HELP
    )


def safe_name(path: str) -> str:
    """The last part of a path or URL as a name that is harmless everywhere."""
    last = path.rstrip("/").removesuffix("/.git").rpartition("/")[2].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]", "-", last)[:64].lstrip(".-") or "target"


def redact(text: str, login: str = "") -> str:
    """The text without credentials of URLs in it, whoever wrote it.

    `login` is the `user:password@` that is known to be secret, wherever and however it stands.
    """
    text = _LOGIN.sub(r"\1***@", text)
    user, _, password = login.rstrip("@").partition(":")
    secrets = {word for word in (user, unquote(user)) if len(word) >= _TOKEN}
    secrets |= {password, unquote(password)} - {""}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _from_url(repo: str) -> Source:
    try:
        parts = urlsplit(repo)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{redact(repo)!r} is not a URL: {error}", hint=_HELP) from None
    if parts.scheme not in PROTOCOLS:
        raise UsageError(f"{redact(repo)!r}: protocol {parts.scheme!r} is not allowed", hint=_HELP)
    if not parts.path.strip("/") or (parts.scheme != "file" and not host) or (host or "").startswith("-"):
        raise UsageError(f"{redact(repo)!r} names no repository", hint=_HELP)
    login, at, place = parts.netloc.rpartition("@")
    if parts.scheme == "ssh" and ":" not in login:  # a user name that says nothing, such as `git`
        login, at, place = "", "", parts.netloc
    url = urlunsplit(parts._replace(netloc=place))
    shown = urlunsplit(parts._replace(netloc=f"***@{place}" if at else place, query="", fragment=""))
    return Source(safe_name(unquote(parts.path)), shown, url=url, login=login + at)


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text)


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name; a name that none can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long
        return False
