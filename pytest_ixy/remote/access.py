"""How to reach a node over SSH: plain data, so that it can be stored and handed to workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Access:
    """Where a node listens and how to prove who is who.

    Attributes:
        name: The node's name, used in every message.
        host: Address or host name.
        port: TCP port of its SSH server.
        user: Who to log in as; anyone but root needs `sudo -n` for what only root may do.
        key: Path of the private key; None asks the SSH agent and takes the user's own keys.
        host_key: The one host key to accept (`ssh-ed25519 AAAA…`); None asks the known_hosts files.
        known_hosts: Those files; none for the user's own.
        keys: Private keys to try where `key` is None; those that are missing or encrypted are passed over.
            None for the user's own.
        agent: Whether the SSH agent is asked where `key` is None.
        jumps: Hosts to go through, the first one first.
        folder: Absolute path of a folder on the node where relative paths start; empty for the user's home.
        environment: Variables that every command gets.
        guard: Bash that comes before everything that is started there, and may end it with `ixy: refused WHY`
            on stderr.
    """

    name: str
    host: str
    port: int = 22
    user: str = "root"
    key: str | None = None
    host_key: str | None = None
    known_hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    agent: bool = True
    jumps: tuple[Access, ...] = ()
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    guard: str = ""

    def place(self, path: str) -> str:
        """A path on the node, from where relative ones start."""
        return path if not self.folder or path.startswith("/") else f"{self.folder}/{path}"

    @property
    def sudo(self) -> bool:
        """True when root's rights have to be asked for with `sudo -n`."""
        return self.user != "root"

    @property
    def address(self) -> str:
        """`user@host:port`, for messages."""
        return f"{self.user}@{self.host}:{self.port}"

    def as_dict(self) -> dict[str, Any]:
        """The same as plain types that JSON knows."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Access:
        """What `as_dict` gave, as an `Access` again."""
        known = {**data, "jumps": tuple(map(cls.from_dict, data.get("jumps", ())))}
        for name in ("known_hosts", "keys"):
            if known.get(name) is not None:
                known[name] = tuple(known[name])
        return cls(**known)
