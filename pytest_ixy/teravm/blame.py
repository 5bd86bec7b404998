"""Whose fault a failure is: what programs say when it is the lab's."""

from __future__ import annotations

import re

LOCKED = re.compile(
    r"could not get lock|unable to acquire the dpkg|unable to lock|is locked by another process",
    re.IGNORECASE,
)
INTERRUPTED = re.compile(r"dpkg was interrupted, you must manually run", re.IGNORECASE)
_DISK = re.compile(
    r"no space left on device|read-only file system|input/output error|disk quota exceeded"
    r"|have enough free space",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"could not resolve|failure resolving|no such host|server misbehaving|connection (?:refused|timed out|reset)"
    r"|could not connect|network is unreachable|no route to host|tls handshake|i/o timeout|client\.timeout"
    r"|context deadline exceeded|timed out|toomanyrequests|unauthorized|authentication required"
    r"|x509:|error: (?:401|403|407|429|5\d\d)\b|(?:502|503|504) |unexpected eof",
    re.IGNORECASE,
)
_ENGINE = re.compile(
    r"connect to (?:the )?docker daemon|dial unix|command not found|permission denied|not permitted",
    re.IGNORECASE,
)


def of_machine(text: str) -> bool:
    """Whether the host itself was in the way: its disk, or somebody else at work there."""
    return bool(_DISK.search(text) or LOCKED.search(text))


def of_lab(text: str) -> bool:
    """Whether it was the host, the network, a server, or what runs containers."""
    return of_machine(text) or bool(_NETWORK.search(text) or _ENGINE.search(text))
