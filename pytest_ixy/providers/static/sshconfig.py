"""How to log in to a host by the user's ~/.ssh/config: OpenSSH itself is asked (`ssh -G`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_ixy import programs
from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.remote import Access

MOST = 8
"""Jump hosts on the way to one host; more are a circle."""
HOP = re.compile(
    r"(?:ssh://)?(?:([^@\s/]+)@)?([A-Za-z0-9_][\w.%-]*|\[[0-9A-Fa-f:.%\w]+\])(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True)
class Asked:
    """What somebody says of the way to a host; None leaves it to ~/.ssh/config.

    Attributes:
        name: What it is called in messages.
        host: Its name, address or alias.
        keys: Private keys to offer first.
        config: What to read in place of ~/.ssh/config.
    """

    name: str
    host: str
    port: int | None = None
    user: str | None = None
    keys: tuple[str, ...] = ()
    jumps: tuple[str, ...] | None = None
    config: Path | None = None


def resolve(asked: Asked, depth: int = 0) -> Access:
    """Settle the way to a host.

    Raises:
        UsageError: ~/.ssh/config is wrong, asks for a ProxyCommand, or goes in circles.
        LabError: there is no ssh on this machine.
    """
    if depth > MOST:
        raise UsageError(f"The way to {asked.name} goes through more than {MOST} hosts: a circle?")
    found = _effective(asked)
    known = [path for word in ("user", "global") for path in _words(found, f"{word}knownhostsfile")]
    only = "yes" in found.get("identitiesonly", ())
    return Access(
        name=asked.name,
        host=_one(found, "hostname"),
        port=asked.port or int(_one(found, "port")),
        user=asked.user or _one(found, "user"),
        keys=(*asked.keys, *(_path(key) for key in found.get("identityfile", ()))),
        agent=not only,
        known_hosts=tuple(_path(one) for one in known if one != "none"),
        jumps=_jumps(asked, found, depth),
    )


def _jumps(asked: Asked, found: dict[str, list[str]], depth: int) -> tuple[Access, ...]:
    """The hosts to go through, by what is asked for or by ~/.ssh/config."""
    hops = asked.jumps
    if hops is None:
        _refuse_command(asked, found)
        hops = tuple(hop for line in found.get("proxyjump", ()) for hop in line.split(",") if hop != "none")
    way: tuple[Access, ...] = ()
    for number, hop in enumerate(hops):
        end = resolve(_hop(asked, hop, first=number == 0), depth + 1)
        way = (*way, *end.jumps, replace(end, jumps=()))
    numbered = enumerate(way, 1)
    return tuple(replace(one, name=f"{asked.name}, jump host {one.host}, {n}") for n, one in numbered)


def _hop(asked: Asked, text: str, *, first: bool) -> Asked:
    """A jump host; how to get to the first one may stand in ~/.ssh/config, as ssh has it."""
    form = HOP.fullmatch(text.strip())
    if not form:
        what = f"{one_line(text)[:80]!r} is no jump host ({asked.name})."
        raise UsageError(what, hint="write USER@HOST:PORT")
    user, host, port = form.groups()
    name, host = f"{asked.name}, jump host {host}", host.strip("[]")
    jumps = None if first else ()
    return Asked(name, host, int(port) if port else None, user, asked.keys, jumps, asked.config)


def _refuse_command(asked: Asked, found: dict[str, list[str]]) -> None:
    command = _one(found, "proxycommand")
    if command and command != "none":
        raise UsageError(
            f"{asked.name}: for {asked.host} the SSH configuration has ProxyCommand {one_line(command)[:80]}",
            hint="only jump hosts are supported: write ProxyJump HOST there, or jumps in [static]",
        )


def _effective(asked: Asked) -> dict[str, list[str]]:
    """What ssh would do, as lists of values by lower-case keyword."""
    words = ["ssh", "-G", *(["-F", str(asked.config)] if asked.config else [])]
    words += ["-l", asked.user] if asked.user else []  # Match may look at it
    done = programs.output_of([*words, "--", asked.host])
    if done.returncode:
        raise UsageError(f"{asked.name}: ssh cannot read its configuration: {one_line(done.stderr)[:300]}")
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        word, _, value = line.partition(" ")
        found.setdefault(word, []).append(value)
    return found


def _one(found: dict[str, list[str]], word: str) -> str:
    return found.get(word, [""])[0]


def _words(found: dict[str, list[str]], word: str) -> list[str]:
    return _one(found, word).split()


def _path(text: str) -> str:
    return str(Path(text.strip('"')).expanduser())
