"""One SSH connection to one node: opens channels, and notices when the node falls silent."""

from __future__ import annotations

import shlex
import threading
import time
from typing import TYPE_CHECKING

from pytest_ixy.errors import LabError

if TYPE_CHECKING:
    import paramiko

    from pytest_ixy.remote.access import Access

INTERVAL = 8.0
"""Seconds between two questions to the node's SSH server whether it is still there."""
SILENCE = 20.0
"""Seconds it may take to answer before the node counts as lost."""
OPEN = 30.0
"""Seconds that opening a channel may take."""
NEWS = 1.0
"""Seconds that channels may end earlier than it is known why."""

BROKEN = (OSError, EOFError)
"""What a channel raises when it has something to say over a connection that broke; `recv` does too."""


class Link:
    """The connection that all channels of a node share; its failures become `LabError`."""

    def __init__(self, access: Access, client: paramiko.SSHClient) -> None:
        transport = client.get_transport()
        if transport is None:
            raise LabError(f"node {access.name}: the SSH connection is closed")
        self.access = access
        self.client = client
        self.transport = transport
        self._silent = False
        self._closing = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"ixy-heartbeat-{access.name}", daemon=True)
        self._heart.start()

    def open(self, line: str) -> paramiko.Channel:
        """Start `line` in the node's login shell, on a channel of its own.

        Raises:
            LabError: the node is lost or refuses another channel.
        """
        from paramiko import SSHException

        try:
            channel = self.transport.open_session(timeout=OPEN)
            channel.exec_command(line)
        except (SSHException, *BROKEN) as error:
            if self.lost():
                raise self.failure("to start a command") from error
            raise LabError(f"node {self.access.name}: the SSH server refused a channel: {error}") from error
        return channel

    def shell(self, script: str, *arguments: str, root: bool, session: bool = False) -> paramiko.Channel:
        """Start a bash script on the node, as root with sudo where needed."""
        script = f"{self.access.guard}\n{script}" if self.access.guard else script
        words = ["exec"]
        words += ["sudo", "-n"] if root and self.access.sudo else []
        words += ["setsid", "--wait"] if session else []
        words += ["bash", "--norc", "--noprofile", "-c", shlex.quote(script), "ixy"]
        return self.open(" ".join([*words, *map(shlex.quote, arguments)]))

    def lost(self) -> str | None:
        """Why the connection is of no use any more, or None while it stands."""
        if self._closing.is_set():
            return "the connection was closed"
        if self._silent:
            return f"it did not answer for {SILENCE:.0f} s"
        return None if self.transport.is_active() else "the connection broke"

    def lost_soon(self) -> str | None:
        """The same, for who has seen a channel end: the connection's own end may take a moment to show."""
        end = time.monotonic() + NEWS
        while not (lost := self.lost()) and time.monotonic() < end:
            time.sleep(0.02)
        return lost

    def failure(self, doing: str) -> LabError:
        """The error to raise for a lost node."""
        why = self.lost() or "its SSH server closed the channel"
        return LabError(
            f"lost node {self.access.name} ({self.access.address}): {why} {doing}",
            hint="see the node's console: it crashed, was stopped, or has no CPU time left for sshd",
        )

    def close(self) -> None:
        """End the connection and all its channels; safe to call again."""
        self._closing.set()
        self.client.close()
        self._heart.join(5)

    def _beat(self) -> None:
        """Ask for an answer now and then: TCP alone does not tell when a guest hangs behind a live peer."""
        while not self._closing.wait(INTERVAL) and self.transport.is_active():
            alarm = threading.Timer(SILENCE, self._give_up)
            alarm.daemon = True
            alarm.start()
            try:
                self.transport.global_request("keepalive@openssh.com", wait=True)
            except Exception:  # noqa: BLE001 - whatever it was, the transport is gone, and lost() says so
                return
            finally:
                alarm.cancel()

    def _give_up(self) -> None:
        self._silent = True
        self.transport.close()
