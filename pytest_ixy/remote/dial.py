"""Connect to a node that may still be booting: retries, each with a bound of its own."""

from __future__ import annotations

import base64
import binascii
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line
from pytest_ixy.remote.hosts import RefusalError, load_known_hosts, unknown_host, wrong_peer
from pytest_ixy.remote.reach import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import paramiko

    from pytest_ixy.remote.access import Access
    from pytest_ixy.remote.reach import Wire

PROBE = 15.0
"""Seconds that TCP connect, handshake and log-in may take each. Under emulation they take two."""
PAUSE = 0.5
"""Seconds between two tries."""
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
    keys = {hop.name: _load_key(hop) for hop in (*access.jumps, access)}
    start = time.monotonic()
    while True:
        left = deadline - (time.monotonic() - start)
        try:
            return _go(access, keys, min(PROBE, max(left, 1.0)))
        except _retried() as error:
            cause = _cause(error)
        except RefusalError as error:
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


def _retried() -> tuple[type[Exception], ...]:
    import paramiko

    return (paramiko.SSHException, OSError, EOFError)


def _go(access: Access, keys: Mapping[str, paramiko.PKey | None], bound: float) -> paramiko.SSHClient:
    """One try, from one jump host to the next."""
    client: paramiko.SSHClient | None = None
    try:
        for jump in access.jumps:
            client = _probe(jump, keys[jump.name], bound, client)
        return _probe(access, keys[access.name], bound, client)
    except BaseException:
        if client:
            client.close()
        raise


def _probe(
    access: Access, key: paramiko.PKey | None, bound: float, through: paramiko.SSHClient | None
) -> paramiko.SSHClient:
    """One try; what will not change by trying again is raised as `LabError`."""
    import paramiko

    client = _client(access, through)
    try:
        _log_in(client, access, key, bound, reach(access, through, bound))
    except BaseException as error:
        client.close()
        if _is_refused(error):
            raise RefusalError(
                f"node {access.name}: {access.address} refused the log-in: {one_line(str(error))}",
                hint=f"check the user and the key ({access.key or _offered(access)})",
            ) from error
        if isinstance(error, (paramiko.BadHostKeyException, paramiko.ssh_exception.IncompatiblePeer)):
            raise wrong_peer(access, one_line(str(error))) from error
        raise
    return client


def _is_refused(error: BaseException) -> bool:
    """Whether another try would end as this one did: no key was taken, or there was none to offer."""
    import paramiko

    if isinstance(error, paramiko.AuthenticationException):
        return not _timed_out(error)
    return "No authentication methods available" in str(error)


def _timed_out(error: Exception) -> bool:
    """True for what paramiko calls a failed authentication, but was a peer that fell silent."""
    return any(words in str(error) for words in ("timeout", "transport shut down"))


def _offered(access: Access) -> str:
    if access.keys is None:
        return "agent and default keys"
    return ", ".join([*(["the agent's"] if access.agent else []), *access.keys]) or "none is offered"


def _client(access: Access, through: paramiko.SSHClient | None) -> paramiko.SSHClient:
    import paramiko

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            raise unknown_host(access, hostname, key)

    class Client(paramiko.SSHClient):
        def close(self) -> None:
            super().close()
            if through:
                through.close()

    client = Client()
    logging.getLogger(LOGGER).setLevel(logging.CRITICAL + 1)  # its threads' tracebacks are no user's business
    client.set_log_channel(LOGGER)
    client.set_missing_host_key_policy(Refuse())
    if access.host_key is None:
        load_known_hosts(client, access)
    else:
        name = access.host if access.port == paramiko.config.SSH_PORT else f"[{access.host}]:{access.port}"
        kind, key = _parse_host_key(access, access.host_key)
        client.get_host_keys().add(name, kind, key)
    return client


def _log_in(
    client: paramiko.SSHClient, access: Access, key: paramiko.PKey | None, bound: float, sock: Wire
) -> None:
    try:
        client.connect(
            access.host,
            access.port,
            access.user,
            pkey=key,
            key_filename=_files(access),
            sock=sock,
            timeout=bound,
            banner_timeout=bound,
            auth_timeout=bound,
            allow_agent=access.key is None and access.agent,
            look_for_keys=access.key is None and access.keys is None,
            transport_factory=_transport,
        )
    except BaseException:
        sock.close()
        raise


def _files(access: Access) -> Any:
    """Keys to try; a list, which the stubs do not know."""
    return None if access.key else [one for one in access.keys or () if Path(one).is_file()]


def _transport(sock: Any, /, **options: Any) -> paramiko.Transport:
    import paramiko

    class Transport(paramiko.Transport):
        def auth_interactive_dumb(self, *_arguments: Any, **_options: Any) -> list[str]:
            """Paramiko would ask at the terminal for what a server wants besides a key."""
            raise paramiko.AuthenticationException("it wants a password or a code besides the key")

    transport = Transport(sock, **options)
    security = transport.get_security_options()
    security.ciphers = sorted(security.ciphers, key=lambda name: name != CIPHER)
    return transport


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
