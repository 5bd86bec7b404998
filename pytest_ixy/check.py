"""One thing about this machine that a run needs, looked at: what was found, and what mends it."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from enum import Enum

from pytest_ixy import programs


class State(Enum):
    """How a check came out: fine, worth knowing, or in the way of every run."""

    OK = "ok"
    WARN = "warn"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Check:
    """What one look at this machine found.

    Attributes:
        name: What was looked at, in a word or two.
        state: How it came out.
        text: What was found, for people.
        mend: The command that mends it; empty when nothing is to mend, or a package does.
        package: The Debian package that mends it, or empty.
    """

    name: str
    state: State
    text: str
    mend: str = ""
    package: str = ""


def ok(name: str, text: str) -> Check:
    """A check that found all well."""
    return Check(name, State.OK, text)


def lacks_program(name: str, program: str, purpose: str, *, vital: bool = True) -> Check | None:
    """The check that `program` is missing, or None when it is there."""
    if shutil.which(program, path=programs.search_path()):
        return None
    package = programs.PACKAGES.get(program, program)
    state = State.MISSING if vital else State.WARN
    return Check(name, state, f"{program} is not installed; {purpose}", package=package)


def user() -> str:
    """Name of the user who runs this; the number in a container that has no name for it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def as_root(command: str) -> str:
    """The command as this user has to write it for it to run as root."""
    plain = os.geteuid() == 0 and not shutil.which("sudo", path=programs.search_path())
    return command if plain else f"sudo {command}"
