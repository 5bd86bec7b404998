"""A second way to tell a running QEMU things: a socket in the run's folder.

The machine's own QMP connection belongs to the process that started it. This one can be opened by any
process of the same user, such as a worker of xdist; one at a time.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pytest_ixy.errors import LabError

TIMEOUT = 30.0


def arguments(door: socket.socket) -> list[str]:
    """QEMU's arguments for a monitor behind that listening socket, which it has to be passed."""
    chardev = f"socket,id=door,fd={door.fileno()},server=on,wait=off"
    return ["-chardev", chardev, "-mon", "chardev=door,mode=control"]


def listen(path: Path) -> socket.socket:
    """Make the socket; nobody but this user can open it. One of a machine that is gone is replaced."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    with _short(path) as name:
        door.bind(name)
    path.chmod(0o600)  # before it listens
    door.listen(8)
    return door


def tell(path: Path, command: str, **values: object) -> None:
    """Give the QEMU behind that socket a command.

    Raises:
        LabError: it is gone, or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection, _short(path) as name:
            connection.settimeout(TIMEOUT)
            connection.connect(name)
            answers = connection.makefile("rb")
            answers.readline()  # its greeting
            _do(connection, answers, "qmp_capabilities", {})
            _do(connection, answers, command, values)
    except (OSError, ValueError) as error:
        raise LabError(f"QEMU does not answer at {path.name}: {error}.") from error


def _do(connection: socket.socket, answers: BinaryIO, command: str, values: dict[str, object]) -> None:
    connection.sendall(json.dumps({"execute": command, "arguments": values}).encode() + b"\n")
    while line := answers.readline():
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(f"QEMU refused {command}: {answer['error'].get('desc')}.")
        if "return" in answer:
            return
    raise LabError(f"QEMU ended while it was told {command}.")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the file in a folder that may be deeper than the 107 bytes that a socket's name can have."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
