"""Which build is tested: a version of the AGW's package, whose last part names the build for AGW and FEG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pytest_ixy import timespan
from pytest_ixy.errors import UsageError
from pytest_ixy.labtable import AgwTable
from pytest_ixy.printable import one_line
from pytest_ixy.remote import Host
from pytest_ixy.teravm.apt import Apt
from pytest_ixy.teravm.errand import Answer, Errand

LATEST = "latest"
LEAST, MOST = 6, 40
_HASH = re.compile(f"[0-9a-f]{{{LEAST},{MOST}}}", re.ASCII)
_VERSION = re.compile(rf"[0-9A-Za-z.+~]+-[0-9]+-({_HASH.pattern})", re.ASCII)
_SHOWN = 5
_ROWS = """
rows=$(apt-cache madison -- "$PACKAGE") || exit
rows=$(awk -F'|' '$3 ~ / Packages$/ {gsub(/^ +| +$/, "", $2); print $2 $3}' <<<"$rows" | cut -c1-250)
{
    head -n 100 <<<"$rows"
    [[ -z $BEGIN ]] || grep -F -e "-$BEGIN" <<<"$rows" | head -n 100
} | sed 's/^/ixy: /'
"""
_ASKING = 60.0
_FAILED = re.compile(r"Failed to fetch (\S+)")


@dataclass(frozen=True)
class Tag:
    """One build.

    Attributes:
        version: Of the package, `X.Y.Z-EPOCH-HASH`.
        hash: Its last part.
    """

    version: str
    hash: str


@dataclass(frozen=True)
class Row:
    """One line of `apt-cache madison`: a version, and the address of where it comes from."""

    version: str
    source: str


def parse(version: str) -> Tag | None:
    """The build that a version names, or None: it is not of the form `X.Y.Z-EPOCH-HASH`."""
    found = _VERSION.fullmatch(version)
    return Tag(version, found[1]) if found else None


def check(asked: str) -> str:
    """`latest`, or a hash in small letters.

    Raises:
        UsageError: it is neither.
    """
    small = asked.lower()
    if small != LATEST and not _HASH.fullmatch(small):
        hint = f"say {LATEST}, current, or {LEAST} to {MOST} hexadecimal digits of the build's commit"
        raise UsageError(f"{one_line(asked)[:60]!r} names no build.", hint=hint)
    return small


def resolve(agw: Host, table: AgwTable, asked: str, log: Path) -> Tag:
    """Ask the AGW which build is meant: `latest`, the newest one of its repository, or one by its hash.

    A hash may be shorter than that in the version, if only one begins so, and longer, such as a commit.

    Raises:
        UsageError: what is asked for is no hash.
        LabError: there is none, or more than one, or the repository cannot be asked.
    """
    small = check(asked)
    errand = Errand.begin(agw, log, timespan.parse(table.install).total_seconds(), root=table.root)
    updated = Apt(errand, lambda _words: None).update() if table.root else Answer(0, "")
    begin = "" if small == LATEST else small[:LEAST]
    answer = errand.run(_ROWS, f"apt-cache madison {table.package}", PACKAGE=table.package, BEGIN=begin)
    if not answer.ok:
        raise errand.trouble(f"`apt-cache madison {table.package}` failed.", answer.text)
    rows = _rows(answer.lines)
    found = None if small == LATEST else _named(errand, rows, small)
    if found:
        return found
    _check_fresh(errand, rows, updated)
    return _latest(errand, rows[0]) if small == LATEST and rows else _none(errand, table, rows, asked)


def installed(agw: Host, table: AgwTable, log: Path) -> Tag:
    """The build that is installed; LabError when there is none, or its version names none."""
    errand = Errand.begin(agw, log, _ASKING, root=False)
    version = Apt(errand, lambda _words: None).installed(table.package)
    tag = parse(version)
    if tag is None:
        what = f"the installed version, {version!r}, is not a valid tag"
        hint = "it should be X.Y.Z-EPOCH-HASH"
        raise errand.trouble(f"{what if version else f'{table.package} is not installed'}.", hint=hint)
    return tag


def _rows(lines: Sequence[str]) -> list[Row]:
    parted = (line.split() for line in lines)
    return [Row(words[0], words[1] if len(words) > 1 else "") for words in parted if words]


def _check_fresh(errand: Errand, rows: Sequence[Row], updated: Answer) -> None:
    """What could not be fetched matters where the package comes from it: a lab may have dead sources."""
    sources = {row.source for row in rows if row.source}
    for address in _FAILED.findall(updated.text):
        if any(address.startswith(source) for source in sources):
            what = "`apt-get update` could not fetch the list of versions, so that the newest is not known."
            raise errand.trouble(what, updated.text)


def _latest(errand: Errand, row: Row) -> Tag:
    tag = parse(row.version)
    if tag is None:
        hint = "it should be X.Y.Z-EPOCH-HASH"
        raise errand.trouble(f"the newest version, {row.version!r}, is not a valid tag.", hint=hint)
    return tag


def _named(errand: Errand, rows: Sequence[Row], asked: str) -> Tag | None:
    tags = [tag for row in rows if (tag := parse(row.version))]
    found = [tag for tag in tags if tag.hash.startswith(asked) or asked.startswith(tag.hash)]
    hashes = sorted({tag.hash for tag in found})
    if len(hashes) > 1:
        raise errand.trouble(f"{asked} may be any of {', '.join(hashes[:_SHOWN])}.", hint="give more digits")
    return found[0] if found else None


def _none(errand: Errand, table: AgwTable, rows: Sequence[Row], asked: str) -> NoReturn:
    if not rows:
        hint = "see the sources of apt there, and [lab.agw] package"
        raise errand.trouble(f"apt knows no version of {table.package}.", hint=hint)
    newest = ", ".join(dict.fromkeys(row.version for row in rows[:_SHOWN]))
    raise errand.trouble(f"there is no build {asked}.", hint=f"the newest ones are {newest}")
