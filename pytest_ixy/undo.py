"""A command of this machine that takes back what a run has set up, written down before that is done."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_ixy import programs
from pytest_ixy.errors import IxyError
from pytest_ixy.ledger import Ledger

TIMEOUT = 60.0
"""Seconds that such a command may take."""
SHORTEST = 4
"""Characters that a line of a secret has at least: shorter ones would be found everywhere."""
_ALWAYS = ("HOME", "LANG")


@dataclass(frozen=True)
class Undo:
    """What takes something back.

    Attributes:
        command: The program and its arguments.
        cwd: Folder that it is run in.
        pass_on: Names of variables that it gets; values are never written down.
        interface: Of the network, there as long as there is something to take back; empty where none tells.
    """

    command: tuple[str, ...]
    cwd: str
    pass_on: tuple[str, ...]
    interface: str = ""

    @property
    def _is_gone(self) -> bool:
        return bool(self.interface) and not has_interface(self.interface)

    def write(self, book: Ledger, scratch: Path) -> Path:
        """Write it into the ledger and the run's scratch folder; the file."""
        file = scratch / "undo" / Path(self.command[0]).name
        file.parent.mkdir(parents=True, exist_ok=True)
        book.intend("undo", str(file))
        with file.open("w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        return file

    def run(self, hear: Callable[[str], None]) -> bool:
        """Take it back, telling what the command prints, without secrets; False when it is gone already.

        Raises:
            OSError: the command failed, or did not end in time; with its last words.
        """
        if self._is_gone:
            return False
        try:
            command = programs.bound(self.command)
        except IxyError as error:
            raise OSError(error.what) from error
        try:
            done = subprocess.run(
                command,
                cwd=self.cwd,
                env=environment(self.pass_on),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                check=False,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired as error:
            raise OSError(f"`{self.command[0]}` did not end within {TIMEOUT:.0f} s") from error
        said = masked(done.stdout.decode("utf-8", "replace"), secrets(self.pass_on))
        hear(said)
        if done.returncode and not self._is_gone:
            raise OSError(f"`{self.command[0]}` ended with {done.returncode}: {said.strip()[-500:]}")
        return True


def take_back(file: Path) -> bool:
    """What a sweep does with the file of a run that is over; False when it is gone already.

    Raises:
        OSError: it could not be taken back.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    known = Undo(**{**data, "command": tuple(data["command"]), "pass_on": tuple(data["pass_on"])})
    done = known.run(lambda _text: None)
    file.unlink(missing_ok=True)
    return done


def has_interface(name: str) -> bool:
    """Whether this machine has a network interface of that name."""
    return any(name == known for _index, known in socket.if_nameindex())


def environment(pass_on: Iterable[str]) -> Mapping[str, str]:
    """What a program gets that somebody else chose: PATH, HOME, LANG, and variables that are named."""
    named = {name: os.environ[name] for name in (*_ALWAYS, *pass_on) if name in os.environ}
    return {"PATH": programs.search_path(), **named}


def secrets(pass_on: Iterable[str]) -> list[str]:
    """Values of those variables, line by line, longest first."""
    lines = {line.strip() for name in pass_on for line in os.environ.get(name, "").splitlines()}
    return sorted((line for line in lines if len(line) >= SHORTEST), key=len, reverse=True)


def masked(text: str, hidden: Iterable[str]) -> str:
    """The text with asterisks for what is to be hidden."""
    for value in hidden:
        text = text.replace(value, "***")
    return text
