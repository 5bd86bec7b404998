"""Programs of this host that pytest-ixy runs: found, run with a deadline, their last words kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_ixy.errors import LabError
from pytest_ixy.printable import plain

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "newuidmap": "uidmap",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "git": "git",
    "ssh": "openssh-client",
}
"""The Debian and Ubuntu package that each program comes in."""
SELDOM = {"wg-quick": "wireguard-tools"}
"""The same of programs that few users need, where the package has another name."""

EXTRA_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH with the folders for system programs, which an ordinary user's PATH may lack."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *EXTRA_PATH])


def find(program: str) -> str:
    """Full path of a program.

    Raises:
        LabError: it is not installed; says which package it comes in.
    """
    found = shutil.which(program, path=search_path())
    if found is None:
        package = (PACKAGES | SELDOM).get(program, program)
        raise LabError(f"{program} is not installed on this machine.", hint=f"sudo apt-get install {package}")
    return found


def output_of(
    command: Sequence[str], *, given: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a short program with `given` as its input and return what it printed and its status.

    Raises:
        LabError: it is not installed, or did not end within `timeout` seconds.
    """
    whole = [find(command[0]), *command[1:]]
    if shutil.which("setpriv", path=search_path()):  # the doctor works without as well
        whole = bound(command)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": search_path()}
    try:
        return subprocess.run(
            whole,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{command[0]} did not end within {timeout:.0f} s.") from error


def bound(command: Sequence[str], death_signal: str = "KILL") -> list[str]:
    """The command, made to die with the thread that starts it, even when that is killed."""
    return [find("setpriv"), "--pdeathsig", death_signal, find(command[0]), *command[1:]]


def run_logged(  # noqa: PLR0913 - all keywords
    command: Sequence[str],
    *,
    log: Path,
    timeout: float,
    doing: str,
    tell: Callable[[str], None] = lambda _line: None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end with its output in a file, telling its latest line twice a second.

    Raises:
        LabError: it failed or did not end within `timeout` seconds; carries its last lines.
    """
    with log.open("ab") as stream:
        process = subprocess.Popen(
            bound(command, "TERM"),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": search_path(), **(environment or {})},
            process_group=0,
        )
        try:
            in_time = _watch(process, log, timeout, tell)
        finally:
            _end_group(process)
    if not in_time or process.returncode != 0:
        why = _ending(process) if in_time else f"it did not end within {timeout:.0f} s"
        raise LabError(f"{doing} failed: {why}.\n{tail(log)}", hint=f"see all of it in {log}")


def _watch(process: subprocess.Popen[bytes], log: Path, timeout: float, tell: Callable[[str], None]) -> bool:
    """Wait for the program; False when the deadline came first."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            tell(tail(log, lines=1)[:100])
        else:
            return True
    return process.poll() is not None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the program's process group; TERM first, so that it can clean up."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    # it may be gone and have left children, even such as only root of its user namespace may kill
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"exit status {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def tail(log: Path, *, lines: int = 15) -> str:
    """The last lines of a log, without blank ones; what is not printable is escaped."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 16384))
        text = stream.read().decode("utf-8", "replace")
    return plain("\n".join([line for line in text.replace("\r", "\n").splitlines() if line.strip()][-lines:]))
