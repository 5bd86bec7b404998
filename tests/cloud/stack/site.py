"""Where one stack lives: its folder, its programs, its ports."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from pathlib import Path

API, VM = "api", "vm"
"""The tiers: every API real and no machine behind it, or real machines; each has a lock file of that name."""

HOST = "127.0.0.1"
REGION = "RegionOne"
PASSWORD = "of-no-use-elsewhere"
"""Of every user: the stack listens on loopback only, and all that is in it is thrown away."""


@dataclass(frozen=True)
class Site:
    """A stack's place on this machine.

    Attributes:
        tier: `API` or `VM`.
        folder: All that it writes.
        venv: What the services are installed in.
        kept: Where filled databases are kept for the next start.
        ports: By the name of the process that listens there.
    """

    tier: str
    folder: Path
    venv: Path
    kept: Path
    ports: dict[str, int]

    def etc(self, service: str) -> Path:
        """The folder with a service's configuration."""
        return self.folder / "etc" / service

    def log(self, process: str) -> Path:
        """What a process printed."""
        return self.folder / "log" / f"{process}.log"

    def state(self, service: str) -> Path:
        """What a service keeps outside of its database."""
        return self.folder / "state" / service

    @property
    def socket(self) -> Path:
        """Where the database listens."""
        return self.folder / "db.sock"

    def program(self, name: str) -> str:
        """A program of the services' own."""
        return str(self.venv / "bin" / name)

    def url(self, process: str) -> str:
        """The HTTP address of a process that listens."""
        return f"http://{HOST}:{self.ports[process]}"

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"{self.url('keystone')}/v3"

    def database(self, name: str) -> str:
        """SQLAlchemy's address of a database."""
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}&charset=utf8"

    @property
    def queue(self) -> str:
        """oslo.messaging's address of RabbitMQ."""
        return f"rabbit://guest:guest@{HOST}:{self.ports['rabbit']}/"


def free_ports(names: list[str]) -> dict[str, int]:
    """A free port for each name, below those that the kernel gives to outgoing connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    chosen: dict[str, int] = {}
    for name in names:
        port = random.randrange(10_000, lowest)
        while port in chosen.values() or not _is_free(port):
            port = random.randrange(10_000, lowest)
        chosen[name] = port
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
