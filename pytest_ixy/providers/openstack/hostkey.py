"""Which host key a new server must show: what its console says, else the first that it shows in this run."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable

from pytest_ixy.errors import LabError
from pytest_ixy.remote.dial import LOGGER

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
"""cloud-init's, around the public keys that it has made."""
KEY = re.compile(r"((?:ssh|ecdsa)-[a-z0-9-]+) ([A-Za-z0-9+/=]{40,2000})")
PROBE, PAUSE = 15.0, 1.0
"""Seconds that one try may take, and between two."""
PRINTING = 90.0
"""Seconds that cloud-init may take, once the server answers, to print the keys."""


def told(console: str) -> list[str]:
    """The keys that a console shows, as `TYPE KEY`; none where it shows none."""
    if BEGIN not in console or END not in console:
        return []
    block = console.rpartition(BEGIN)[2].partition(END)[0]
    return [f"{kind} {key}" for kind, key in KEY.findall(block)]


def shown(host: str, *, deadline: float, alive: Callable[[], str | None], port: int = 22) -> str:
    """The key that the SSH server there shows, as soon as there is one.

    Raises:
        LabError: none answered within `deadline` seconds, or the server is known to be dead.
    """
    end, cause = time.monotonic() + deadline, ""
    while time.monotonic() < end:
        if dead := alive():
            raise LabError(dead)
        try:
            return _ask(host, port)
        except _passing() as error:
            cause = str(error) or type(error).__name__
        time.sleep(PAUSE)
    raise LabError(
        f"No SSH server answers at {host}:{port} within {deadline:.0f} s; last cause: {cause}.",
        hint="is there a way (VPN, floating IP, router)? If the server is only slow, allow it more: "
        "[timeouts] connect in config.toml",
    )


def _passing() -> tuple[type[Exception], ...]:
    import paramiko

    return (paramiko.SSHException, OSError, EOFError)


def _ask(host: str, port: int) -> str:
    import paramiko

    logging.getLogger(LOGGER).setLevel(logging.CRITICAL + 1)  # its threads' tracebacks are no user's business
    with socket.create_connection((host, port), timeout=PROBE) as sock:
        transport = paramiko.Transport(sock)
        transport.set_log_channel(LOGGER)
        try:
            transport.start_client(timeout=PROBE)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    return f"{key.get_name()} {key.get_base64()}"


def settle(key: str, console: Callable[[], str], where: str) -> tuple[str, bool]:
    """The key to go by, and whether the console vouches for it.

    Args:
        key: What the server shows.
        console: Asks for the console's output; empty where the cloud does not tell.
        where: The server, for messages.

    Raises:
        LabError: the console tells of other keys.
    """
    end = time.monotonic() + PRINTING
    while not (keys := told(text := console())) and _is_still_to_come(text) and time.monotonic() < end:
        time.sleep(PAUSE * 3)
    if not keys:
        return key, False
    if key not in keys:
        raise LabError(
            f"What answers at {where} is not the server: it shows a host key that is none of its console's.",
            hint="find out who answers there: an address that two have, or somebody between",
        )
    return key, True


def _is_still_to_come(console: str) -> bool:
    """Whether cloud-init is at work there and has not ended."""
    return "cloud-init" in console.lower() and not re.search(r"Cloud-init v\. \S+ finished", console)
