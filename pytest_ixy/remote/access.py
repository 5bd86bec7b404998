"""How to reach a node over SSH: plain data, so that it can be stored and handed to workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
        host_key: The one host key to accept (`ssh-ed25519 AAAA…`); None asks the known_hosts file.
    """

    name: str
    host: str
    port: int = 22
    user: str = "root"
    key: str | None = None
    host_key: str | None = None

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
        return cls(**data)
