"""A port of this machine that leads to one of a node, through its SSH connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_ixy.remote.link import BROKEN, OPEN

if TYPE_CHECKING:
    import paramiko

    from pytest_ixy.remote.link import Link

HERE = "127.0.0.1"
_CHUNK = 1 << 16


class Forward:
    """Listens on a free port of 127.0.0.1, from now until `close`; threads carry the bytes.

    Attributes:
        port: That port.
    """

    def __init__(self, link: Link, remote: int) -> None:
        self._link, self._remote = link, remote
        self._listener = socket.create_server((HERE, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"ixy-forward-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that there are end with the SSH connection."""
        with suppress(OSError):  # wakes the thread that waits for one
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _peer = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), name="ixy-forwarded", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        from paramiko import SSHException

        with near:
            try:
                far = self._link.transport.open_channel(
                    "direct-tcpip", (HERE, self._remote), near.getsockname(), timeout=OPEN
                )
            except (SSHException, *BROKEN):
                return  # nobody listens there; the connection ends, which says so
            back = threading.Thread(target=_carry_back, args=(far, near), name="ixy-forwarded", daemon=True)
            back.start()
            _carry(near, far)
            back.join()


def _carry(near: socket.socket, far: paramiko.Channel) -> None:
    with suppress(*BROKEN):
        while data := near.recv(_CHUNK):
            far.sendall(data)
    with suppress(*BROKEN):
        far.shutdown_write()


def _carry_back(far: paramiko.Channel, near: socket.socket) -> None:
    with suppress(*BROKEN):
        while data := far.recv(_CHUNK):
            near.sendall(data)
    with suppress(*BROKEN):
        near.shutdown(socket.SHUT_RDWR)
    far.close()
