"""Connect to a node that may still be booting: retries, each with a bound of its own."""

from __future__ import annotations

import base64
import binascii
import logging
import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from pytest_ixy.remote.access import Access

PROBE = 15.0
"""Seconds that TCP connect, handshake and log-in may take each. Under emulation they take two."""
PAUSE = 0.5
"""Seconds between two tries."""
UNANSWERED = 20_000
"""Milliseconds that data may stay unacknowledged by the node's kernel."""
CIPHER = "aes128-gcm@openssh.com"
"""Asked for first: it costs half the CPU time of paramiko's first choice, AES-CTR and a hash of its own."""
LOGGER = "pytest_ixy.remote.ssh"


def dial(
    access: Access,
    *,
    deadline: float,
    on_wait: Callable[[float], None] | None = None,
    alive: Callable[[], str | None] | None = None,
    set_up: bool = True,
) -> paramiko.SSHClient:
    """Try to log in until it works or `deadline` seconds have passed.

    Args:
        access: Where and as whom.
        deadline: Seconds after which no new try is made; the last one may end a little later.
        on_wait: Told the seconds that have passed, after each try that failed.
        alive: Asked between tries; a reason means that the machine is dead and waiting is vain.
        set_up: False for a machine that is only becoming what it shall be: that it refuses the key, or
            shows another one, is no reason then to give up before the deadline.

    Raises:
        LabError: the machine is dead, the deadline has passed, or a key was refused.
    """
    key = _load_key(access)
    start = time.monotonic()
    while True:
        left = deadline - (time.monotonic() - start)
        try:
            return _probe(access, key, min(PROBE, max(left, 1.0)))
        except _retried() as error:
            cause = _cause(error)
        except _RefusalError as error:
            if set_up:
                raise
            cause = error.what
        passed = time.monotonic() - start
        _check(access, passed, deadline, cause, alive)
        if on_wait:
            on_wait(passed)
        time.sleep(PAUSE)


def _check(
    access: Access, passed: float, deadline: float, cause: str, alive: Callable[[], str | None] | None
) -> None:
    if alive and (dead := alive()):
        raise LabError(f"node {access.name}: {dead}", hint="see the node's console for its last words")
    if passed >= deadline:
        raise LabError(
            f"node {access.name}: no SSH to {access.address} in {passed:.0f} s; last cause: {cause}",
            hint="see the node's console; if it is only slow, allow it more time",
        )


class _RefusalError(LabError):
    """The other end answered, but with the wrong key or to the wrong one."""


def _retried() -> tuple[type[Exception], ...]:
    import paramiko

    return (paramiko.SSHException, OSError, EOFError)


def _probe(access: Access, key: paramiko.PKey | None, bound: float) -> paramiko.SSHClient:
    """One try; what will not change by trying again is raised as `LabError`."""
    import paramiko

    client = _client(access)
    try:
        _log_in(client, access, key, bound)
    except BaseException as error:
        client.close()
        if isinstance(error, paramiko.AuthenticationException) and not _timed_out(error):
            raise _RefusalError(
                f"node {access.name}: {access.address} refused the log-in: {one_line(str(error))}",
                hint=f"check the user and the key ({access.key or 'agent and default keys'})",
            ) from error
        if isinstance(error, (paramiko.BadHostKeyException, paramiko.ssh_exception.IncompatiblePeer)):
            raise _wrong_peer(access, one_line(str(error))) from error
        raise
    return client


def _timed_out(error: Exception) -> bool:
    """True for what paramiko calls a failed authentication, but was a peer that fell silent."""
    return any(words in str(error) for words in ("timeout", "transport shut down"))


def _client(access: Access) -> paramiko.SSHClient:
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            raise _wrong_peer(access, f"no known_hosts file has a key for {hostname} ({key.fingerprint})")

    client = paramiko.SSHClient()
    logging.getLogger(LOGGER).setLevel(logging.CRITICAL + 1)  # its threads' tracebacks are no user's business
    client.set_log_channel(LOGGER)
    client.set_missing_host_key_policy(Refuse())
    if access.host_key is None:
        client.load_system_host_keys()
    else:
        name = access.host if access.port == paramiko.config.SSH_PORT else f"[{access.host}]:{access.port}"
        kind, key = _parse_host_key(access, access.host_key)
        client.get_host_keys().add(name, kind, key)
    return client


def _log_in(client: paramiko.SSHClient, access: Access, key: paramiko.PKey | None, bound: float) -> None:
    sock = socket.create_connection((access.host, access.port), timeout=bound)
    try:
        with suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)
        client.connect(
            access.host,
            access.port,
            access.user,
            pkey=key,
            sock=sock,
            timeout=bound,
            banner_timeout=bound,
            auth_timeout=bound,
            allow_agent=access.key is None,
            look_for_keys=access.key is None,
            transport_factory=_transport,
        )
    except BaseException:
        sock.close()
        raise


def _transport(sock: Any, /, **options: Any) -> paramiko.Transport:
    import paramiko

    transport = paramiko.Transport(sock, **options)
    security = transport.get_security_options()
    security.ciphers = sorted(security.ciphers, key=lambda name: name != CIPHER)
    return transport


def _wrong_peer(access: Access, why: str) -> LabError:
    return _RefusalError(
        f"node {access.name}: what answers at {access.host}:{access.port} is not the expected host: {why}",
        hint="if the node was reinstalled, remove its old host key; otherwise find out who answers there",
    )


def _parse_host_key(access: Access, text: str) -> tuple[str, paramiko.PKey]:
    import paramiko

    try:
        kind, data = text.split()[:2]
        return kind, paramiko.PKey.from_type_string(kind, base64.b64decode(data, validate=True))
    except (ValueError, binascii.Error, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise LabError(
            f"node {access.name}: not a host key: {text[:80]!r}",
            hint="give type and key as in a known_hosts file: ssh-ed25519 AAAA…",
        ) from error


def _load_key(access: Access) -> paramiko.PKey | None:
    import paramiko

    if access.key is None:
        return None
    try:
        return paramiko.PKey.from_path(os.path.expanduser(access.key))  # noqa: PTH111 - a str is what it takes
    except Exception as error:  # any broken file raises something else of paramiko's or cryptography's
        raise LabError(
            f"node {access.name}: cannot read the private key {access.key}: {error}",
            hint="give an unencrypted OpenSSH or PEM private key that you may read",
        ) from error


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"SSH handshake: {one_line(str(error)) or type(error).__name__}"
