"""The stream of bytes to a node's SSH server: from here, or through another host."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

    from pytest_ixy.remote.access import Access

    Wire = socket.socket | paramiko.Channel

UNANSWERED = 20_000
"""Milliseconds that data may stay unacknowledged by the node's kernel."""


def reach(access: Access, through: paramiko.SSHClient | None, bound: float) -> Wire:
    """Connect to the server within `bound` seconds; OSError or SSHException when it cannot be reached.

    Args:
        access: Where it listens.
        through: A host that we are logged in to, which makes the connection; None for this one.
        bound: Seconds that it may take.
    """
    if through is None:
        return _directly(access, bound)
    return _through(access, through, bound)


def _directly(access: Access, bound: float) -> socket.socket:
    sock = socket.create_connection((access.host, access.port), timeout=bound)
    with suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)
    return sock


def _through(access: Access, host: paramiko.SSHClient, bound: float) -> paramiko.Channel:
    import paramiko

    transport = host.get_transport()
    if transport is None:
        raise ConnectionError("the jump host has gone")
    try:
        return transport.open_channel(
            "direct-tcpip", (access.host, access.port), ("127.0.0.1", 0), timeout=bound
        )
    except paramiko.ChannelException as error:
        raise ConnectionError(f"the jump host cannot connect to it: {error.text}") from error
