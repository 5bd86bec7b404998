"""A target's `ixy-ci.toml`: how to build it, and the programs that fill the roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from pytest_ixy import nics, source, tomlfile
from pytest_ixy.dialect import Dialect
from pytest_ixy.errors import UsageError
from pytest_ixy.terms import check_file
from pytest_ixy.unsupported import Unsupported

if TYPE_CHECKING:
    from pathlib import Path

NAME = "ixy-ci.toml"
READY_LINE = 200  # characters of a line that a `ready` expression is tried on
MINIMAL = f"""add a file {NAME} to it, such as:
    build = ["make"]
    pktgen = "./pktgen $PCI_ADDR_PKTGEN"
    fwd = "./fwd $PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST"
    pcap = "./pcap $PCI_ADDR_PCAP $PCAP_OUT $PCAP_N\""""

_REPEATS = 3
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")


def _command(text: str) -> str:
    if not text.strip():
        raise ValueError("should not be empty")
    if "\0" in text:
        raise ValueError("has a NUL character, which no command can have")
    return text


def _expression(text: str) -> str:
    """Refuse what `re` does not know, and what could keep it busy for hours."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    plain = _ATOM.sub("x", text).replace("(?:", "(")
    repeats = _REPEAT.findall(plain)
    if "(?" in plain or re.search(r"\)(?:[*+?]|\{)", plain) or len(repeats) > _REPEATS:
        raise ValueError(f"should have at most {_REPEATS} repeats (* + ? {{}}), none after ')', and no '(?'")
    if re.search(r"\\[1-9]", text):
        raise ValueError("should not refer back to a group")
    return text


def _player(text: str) -> str:
    if text == "reference":
        return text
    try:
        source.remote(source.versioned(text, here=False)[0])
    except UsageError as error:
        raise ValueError(f"should be 'reference', a URL or OWNER/NAME: {error.what}") from None
    return text


def _model(text: str) -> str:
    try:
        return nics.known(text)
    except UsageError as error:
        raise ValueError(f"cannot be: {error.what}") from None


def _some(models: tuple[str, ...]) -> tuple[str, ...]:
    if not models:
        raise ValueError("should name at least one model; without this key all are tried")
    return models


Command = Annotated[str, AfterValidator(_command)]
Player = Annotated[str, Field(max_length=1000), AfterValidator(_player)]
NicModel = Annotated[str, AfterValidator(_model)]
Expression = Annotated[str, Field(max_length=200), AfterValidator(_expression)]


class Ready(tomlfile.Table):
    """`[ready]`: new. What a role prints, as a regular expression, once it is ready."""

    pktgen: Expression | None = None
    fwd: Expression | None = None
    pcap: Expression | None = None

    def pattern(self, role: str) -> re.Pattern[str] | None:
        """The expression for that role. Try it on the first `READY_LINE` characters of a line."""
        text: str | None = getattr(self, role, None)
        return re.compile(text) if text is not None else None


class Roles(tomlfile.Table):
    """`[roles]`: new. Who plays a role in place of a program of the target.

    That is `reference`, or another repository: a URL or OWNER/NAME, with `@REF` for a version. No folder:
    a target may not have anything of this machine sent to a node.
    """

    pktgen: Player | None = None
    fwd: Player | None = None
    pcap: Player | None = None


class Spec(tomlfile.Table):
    """The whole file. Commands are run by bash on a node, never here.

    Attributes:
        build: Commands that build it, each in a shell of its own.
        build_once: new. What these leave in the work tree is all that the programs need, so that one node's
            serves the others, and later runs.
        setup: new. Commands that every node needs in every run, once it is built.
        pktgen, fwd, pcap: The command line of each role; None for one that somebody else has to play.
        roles: Who does.
        nics: new. Models of NICs that it drives; None when it does not say.
        ready: What shows that a role is ready.
        dialect: `[dialect]`: new. What its packets look like; None for ixy-ci's own.
        rules: `[rules.NAME]`: new. Severity and options of rules.
        unsupported: `[unsupported]`: new. Tests that its driver is not made for, by scenario.
    """

    build: Annotated[tuple[Command, ...], Field(strict=False)] = ()
    build_once: bool = False
    setup: Annotated[tuple[Command, ...], Field(strict=False)] = ()
    pktgen: Command | None = None
    fwd: Command | None = None
    pcap: Command | None = None
    roles: Roles = Roles()
    nics: Annotated[tuple[NicModel, ...], Field(strict=False), AfterValidator(_some)] | None = None
    ready: Ready = Ready()
    dialect: Dialect | None = None
    rules: tomlfile.RuleTables = Field(default_factory=dict)
    unsupported: Unsupported = Unsupported()

    def command(self, role: str) -> str | None:
        """The command line of a role, None when the target has no program for it."""
        return {"pktgen": self.pktgen, "fwd": self.fwd, "pcap": self.pcap}[role]


def read(folder: Path, label: str) -> Spec:
    """Read the `ixy-ci.toml` in a target's folder; `label` says in messages whose it is.

    Raises:
        UsageError: there is none, it is not a plain file of the target, or it is not valid.
    """
    path = folder / NAME
    try:
        file = tomlfile.parse(_content(path, folder), NAME)
        found = file.check(Spec)
        check_file(file, found.rules)
    except UsageError as error:
        raise UsageError(f"{error.what}\n  in {label}", hint=error.hint) from None
    return found


def _content(path: Path, folder: Path) -> bytes:
    try:
        real = path.resolve(strict=True)
        if not _plain_file(real, folder.resolve()):
            raise UsageError(f"{NAME} is not a plain file of the target", hint=MINIMAL)
        with real.open("rb") as stream:
            return stream.read(tomlfile.LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no {NAME}", hint=MINIMAL) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise UsageError(f"cannot read {NAME}: {error}") from error


def _plain_file(path: Path, folder: Path) -> bool:
    """A link may lead to another file of the target, but to nothing else on this machine."""
    inside = path.is_relative_to(folder) and ".git" not in path.relative_to(folder).parts
    return inside and path.is_file()
