"""The compose project of a FEG: its files, its version, its containers."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pytest_ixy.errors import LabError
from pytest_ixy.labtable import FegTable
from pytest_ixy.teravm.errand import Answer, Errand


@dataclass(frozen=True)
class Container:
    """One container of the project.

    Attributes:
        service: What the compose file calls it.
        image: What it was made of.
        status: Such as `running` or `restarting`.
        health: What its own check says; empty where it has none.
        code: Exit code of its last end.
        mark: When it was started, and how often again.
    """

    service: str
    image: str
    status: str
    health: str
    code: str
    mark: str


@dataclass(frozen=True)
class State:
    """The project as it is: the version in .env, what should run, of which images, and what does."""

    version: str
    services: tuple[str, ...]
    images: frozenset[str]
    containers: tuple[Container, ...]


@dataclass(frozen=True)
class Project:
    """What is done to the project; each method is an action of `project.bash`."""

    errand: Errand
    table: FegTable

    def act(self, action: str, title: str = "", **variables: str) -> Answer:
        """Do it; LabError when the host is lost or the time is over."""
        given = {"ACTION": action, "FOLDER": self.table.folder, "VARIABLE": self.table.variable}
        given |= {"COMPOSE": shlex.join(self.table.compose), "HASH": "", "SOURCE": "", **variables}
        return self.errand.run(_script(), title or action, **given)

    def must(self, action: str, title: str = "", **variables: str) -> Answer:
        """The same; LabError when it fails."""
        answer = self.act(action, title, **variables)
        if not answer.ok:
            raise self.errand.trouble(f"`{title or action}` failed in {self.table.folder}.", answer.text)
        return answer

    def version(self) -> str:
        """The version that .env names; empty for none."""
        return _after("version ", self.must("version").lines)

    def full(self) -> int:
        """How full the disk is that images are on, in percent; 0 where that is not known."""
        said = _after("full ", self.act("full").lines)
        return int(said) if said.isdecimal() and said.isascii() else 0

    def look(self) -> State:
        """What runs.

        Raises:
            LabError: compose or the container engine cannot tell.
        """
        lines = self.must("look", f"{shlex.join(self.table.compose)} ps").lines
        containers = [_container(line.removeprefix("container ")) for line in _all("container ", lines)]
        images = frozenset(line.removeprefix("image ").strip() for line in _all("image ", lines))
        services = tuple(line.removeprefix("service ").strip() for line in _all("service ", lines))
        return State(_after("version ", lines), services, images, tuple(one for one in containers if one))

    def words(self, service: str) -> str:
        """The last lines of a service's log; empty where they cannot be had."""
        try:
            answer = self.act("words", f"logs of {service}", HASH=service)
        except LabError:
            return ""
        return answer.last if answer.ok else ""


def _all(word: str, lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(word)]


def _after(word: str, lines: list[str]) -> str:
    found = _all(word, lines)
    return found[-1].removeprefix(word).strip() if found else ""


def _container(line: str) -> Container | None:
    parts = line.split("|")
    return Container(*parts) if len(parts) == 6 else None  # noqa: PLR2004 - as many as a Container has


@cache
def _script() -> str:
    text = files("pytest_ixy.teravm").joinpath("project.bash").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
