"""Whose fault a failure is: what programs say when it is the lab's."""

from __future__ import annotations

import re

LOCKED = re.compile(r"^E: (?:Could not get lock|Unable to (?:acquire the dpkg|lock))", re.MULTILINE)
INTERRUPTED = re.compile(r"dpkg was interrupted, you must manually run", re.IGNORECASE)
_DISK = re.compile(
    r"no space left on device|read-only file system|input/output error|disk quota exceeded"
    r"|have enough free space",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"(?:could not|unable to) resolve|failure resolving|no such host|server misbehaving|no route to host"
    r"|could not connect|connection (?:refused|timed out|reset)|network is unreachable|timed out"
    r"|tls handshake|i/o timeout|client\.timeout|context deadline exceeded|unexpected eof|x509:"
    r"|toomanyrequests|unauthorized"
    r"|authentication required|error: (?:401|403|407|429|5\d\d)\b|(?:502|503|504) ",
    re.IGNORECASE,
)
_ENGINE = re.compile(r"connect to (?:the )?docker daemon|dial unix|command not found", re.IGNORECASE)


def of_machine(text: str) -> bool:
    """Whether the host itself was in the way: its disk, or somebody else at work there."""
    return bool(_DISK.search(text) or LOCKED.search(text))


def of_lab(text: str) -> bool:
    """Whether it was the host, the network, a server, or what runs containers."""
    return of_machine(text) or bool(_NETWORK.search(text) or _ENGINE.search(text))
