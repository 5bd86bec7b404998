"""Runs git: bounded in time, asking nobody, and deaf to what a repository would have it do."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.source import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMIT = 64 << 20  # bytes of an answer
_TAIL = 16 << 10  # bytes of complaints
_KEPT = {"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"}
_KEPT |= {"GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}
_KEPT |= {"GIT_CEILING_DIRECTORIES", "GIT_PROXY_COMMAND"}
_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_AUTHOR_NAME": "pytest-ixy",
    "GIT_AUTHOR_EMAIL": "pytest-ixy@localhost",
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_NAME": "pytest-ixy",
    "GIT_COMMITTER_EMAIL": "pytest-ixy@localhost",
    "GIT_COMMITTER_DATE": "1600000000 +0000",
    "LC_ALL": "C.UTF-8",
}
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "core.logAllRefUpdates=false",  # reflogs tell where the clone came from
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "advice.detachedHead=false",
    "advice.addEmbeddedRepo=false",
)


@dataclass(frozen=True)
class Git:
    """git in one folder.

    Attributes:
        folder: Its current directory.
        deadline: When everything must be done, by `time.monotonic`.
        timeout: The seconds that the deadline was set from, for the message.
        protocols: Those that it may fetch with, also for submodules.
        secret: Credentials that messages must not show.
        environment: Variables in addition.
    """

    folder: Path
    deadline: float
    timeout: float
    protocols: tuple[str, ...] = ("https", "http", "ssh", "git")
    secret: str = field(default="", repr=False)
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def at(self, folder: Path) -> Git:
        """The same in another folder."""
        return replace(self, folder=folder)

    def with_environment(self, **variables: str) -> Git:
        """The same with more variables."""
        return replace(self, environment=(*self.environment, *variables.items()))

    def raw(self, *arguments: str) -> bytes:
        """What `git ARGUMENTS` prints.

        Raises:
            UsageError: it failed; the text is git's own last lines.
            LabError: there is no git, or the deadline passed.
        """
        status, output, complaint = self._run(arguments)
        if status:
            raise self._failure(arguments, status, complaint)
        return output

    def text(self, *arguments: str) -> str:
        """What `git ARGUMENTS` prints, as text, without white space around it."""
        return self.raw(*arguments).decode("utf-8", "replace").strip()

    def maybe(self, *arguments: str) -> str | None:
        """As `text`, but None when it fails; for questions that may have no answer."""
        status, output, complaint = self._run(arguments)
        if status and "dubious ownership" in complaint:
            raise self._failure(arguments, status, complaint)
        return None if status else output.decode("utf-8", "replace").strip()

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, bytes, str]:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaint:
            status = self._wait(["git", *settings, *arguments], output, complaint)
            complaint.seek(max(0, complaint.seek(0, os.SEEK_END) - _TAIL))
            output.seek(0)
            return status, output.read(_LIMIT), complaint.read().decode("utf-8", "replace")

    def _wait(self, command: list[str], output: IO[bytes], complaint: IO[bytes]) -> int:
        try:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._variables(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaint,
                start_new_session=True,  # no terminal to ask on, and one group to end
            )
        except FileNotFoundError as error:
            raise LabError("git is not installed", hint="apt install git") from error
        try:
            return process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            words = redact(" ".join(command[1 + 2 * len(_SETTINGS) :][:1]), self.secret)
            raise LabError(
                f"git {words} did not end within {self.timeout:g} s and was stopped",
                hint="look at the network, or give it longer: [timeouts] fetch in config.toml",
            ) from None
        finally:
            _end(process)

    def _variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The user's environment, without what binds git to some other repository (as hooks do)."""
        kept = {key: value for key, value in environ.items() if _harmless(key)}
        permitted = environ.get("GIT_ALLOW_PROTOCOL", ":".join(self.protocols)).split(":")
        allowed = ":".join(name for name in self.protocols if name in permitted)
        return kept | _FIXED | {"GIT_ALLOW_PROTOCOL": allowed} | dict(self.environment)

    def _failure(self, arguments: tuple[str, ...], status: int, complaint: str) -> UsageError:
        lines = [line for line in printable(redact(complaint, self.secret)).splitlines() if line.strip()]
        text = "\n  ".join(lines[-8:]) or f"exit status {status}"
        hint = ""
        if "dubious ownership" in complaint:
            hint = f"if you trust it: git config --global --add safe.directory {self.folder}"
        elif "not allowed" in complaint:
            hint = f"repositories and submodules are fetched by {', '.join(self.protocols)} only"
        return UsageError(f"git {arguments[0]} failed:\n  {text}", hint=hint)


def start(folder: Path, timeout: float) -> Git:
    """git in that folder, with `timeout` seconds from now for all it does."""
    return Git(folder, time.monotonic() + timeout, timeout)


def login(git: Git, url: str, credentials: str) -> Git:
    """The same git, which uses `user:password@` for that URL and its neighbours.

    The credentials go through git's environment: not into the clone, which is sent to machines where
    the target's own code runs, and not into the list of processes.
    """
    if not credentials:
        return git
    near = url.rstrip("/").rpartition("/")[0] + "/"
    key = f"url.{near.replace('://', '://' + credentials, 1)}.insteadOf"
    return _with_setting(replace(git, secret=credentials), key, near)


def keyless(git: Git) -> Git:
    """The same git with none of the user's keys and passwords: for what somebody else names."""
    public = tuple(name for name in git.protocols if name != "ssh")
    asked = replace(git, protocols=public).with_environment(GIT_ASKPASS="true")  # which answers nothing
    return _with_setting(asked, "credential.helper", "")


def _with_setting(git: Git, key: str, value: str) -> Git:
    """One more setting, behind those that the user's environment has."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    setting = {f"GIT_CONFIG_KEY_{count}": key, f"GIT_CONFIG_VALUE_{count}": value}
    return git.with_environment(GIT_CONFIG_COUNT=str(count + 1), **setting)


def printable(text: str) -> str:
    """The text without control and direction characters, which could forge what a terminal shows."""
    return "".join(
        letter
        for letter in text.replace("\r", "\n")
        if letter == "\n" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )


def _harmless(variable: str) -> bool:
    if not variable.startswith("GIT_") or variable in _KEPT:
        return True
    return variable.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_SSL_", "GIT_HTTP_", "GIT_TRACE"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and its helpers, if it is still there: at the deadline, or when the user interrupts."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
