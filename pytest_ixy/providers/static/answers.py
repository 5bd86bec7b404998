"""What `lease.bash` answers, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Nic:
    """A NIC as the host knows it; `mac` is None when no driver of the kernel has it."""

    pci: str
    mac: str | None


@dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        owner: user@machine.
        run: A run's id.
        purpose: What that is for, in words.
        seconds: How long already.
        waits: True for who has nothing yet, but has waited for longer, so that it is his turn.
    """

    owner: str
    run: str
    purpose: str
    seconds: int
    waits: bool = False


@dataclass(frozen=True)
class Taken:
    """The answer to who asked for a lease.

    Attributes:
        holder: Somebody else, who has it.
        dead: Who had it, had died, and was cleaned up after.
        machine: Name of this lease's host, the same for all who ask under one token.
        nics: The NICs that were asked for, by what they were asked for.
        untidy: What a dead owner left and could not be put back, in words.
        ways: NICs among those that were asked for through which the host is reached.
    """

    holder: Holder | None = None
    dead: Holder | None = None
    machine: str = ""
    nics: tuple[tuple[str, Nic | None], ...] = ()
    untidy: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sight:
    """What was seen of a host without leasing it.

    Attributes:
        holder: Who has its lease.
        nics, ways: As of `Taken`.
        lacks: Programs that were asked for and are not there.
        pages: Its huge pages, by size as the kernel writes it, such as `2048kB`.
    """

    holder: Holder | None
    nics: tuple[tuple[str, Nic | None], ...]
    ways: tuple[str, ...]
    lacks: tuple[str, ...]
    pages: tuple[tuple[str, str], ...]


def taken(lines: Sequence[str]) -> Taken | None:
    """The answer to who asked for the lease; None when it is none."""
    said = [line.split(" ") for line in lines]
    machines, holders = _all(said, "taken"), _holders(said)
    holder = holders.get("held") or holders.get("next")
    if not machines and holder is None:
        return None
    return Taken(
        holder=None if machines else holder,
        dead=holders.get("dead"),
        machine=machines[-1] if machines else "",
        nics=_nics(said),
        untidy=untidy(lines),
        ways=_all(said, "way"),
    )


def sight(lines: Sequence[str]) -> Sight:
    """The answer to who looks."""
    said = [line.split(" ") for line in lines]
    pages = tuple((size, number) for word, number, size in _triples(said) if word == "pages")
    return Sight(_holders(said).get("held"), _nics(said), _all(said, "way"), _all(said, "lacks"), pages)


def untidy(lines: Sequence[str]) -> tuple[str, ...]:
    """What could not be put back, in words."""
    return tuple(line.removeprefix("untidy ") for line in lines if line.startswith("untidy "))[:10]


def _all(said: list[list[str]], word: str) -> tuple[str, ...]:
    """The second words of lines that begin with that one."""
    return tuple(words[1] for words in said if words[0] == word and len(words) > 1)


def _nics(said: list[list[str]]) -> tuple[tuple[str, Nic | None], ...]:
    return tuple(_nic(words) for words in said if words[0] == "nic" and len(words) > 1)


def _holders(said: list[list[str]]) -> dict[str, Holder]:
    return {words[0]: _holder(words) for words in said if words[0] in {"held", "dead", "next"}}


def _holder(words: list[str]) -> Holder:
    seconds, owner, run = (*words[1:4], "", "", "")[:3]
    number = int(seconds) if seconds.isdecimal() and seconds.isascii() else 0
    return Holder(owner, run, " ".join(words[4:])[:100], number, waits=words[0] == "next")


def _nic(words: list[str]) -> tuple[str, Nic | None]:
    pci, mac = (*words[2:4], "", "")[:2]
    return words[1], Nic(pci, mac or None) if pci else None


def _triples(said: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    for words in said:
        if len(words) == 3:  # noqa: PLR2004 - by its name
            yield words[0], words[1], words[2]
