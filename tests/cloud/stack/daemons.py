"""What OpenStack stands on: MariaDB and RabbitMQ, as private processes."""

from __future__ import annotations

import socket
from pathlib import Path

from stack.running import Crew
from stack.service import Command, Process, Service
from stack.site import HOST, Site

from pytest_ixy import programs

RABBIT = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Not the one on PATH: that changes to another user first."""

UNSAFE = ("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0",
          "--loose-innodb-flush-method=nosync")  # fmt: skip
"""Nothing here outlives a crash anyway, so nothing waits for the disk."""


def database_files(site: Site) -> Command:
    """Makes an empty database server."""
    program = programs.find("mariadb-install-db")
    who = ("--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db")
    return (program, *who, f"--datadir={_data(site)}")


def _data(site: Site) -> Path:
    return site.folder / "db"


def start_database(crew: Crew, statements: list[str]) -> None:
    """Start MariaDB and have it run `statements` before it answers anybody; only the user can reach it."""
    site = crew.site
    first = site.folder / "first.sql"
    first.write_text("".join(f"{statement};\n" for statement in statements), encoding="ascii")
    command = (
        programs.find("mariadbd"), "--no-defaults", "--user=root", f"--datadir={_data(site)}",
        f"--socket={site.socket}", f"--pid-file={site.folder / 'db.pid'}", "--skip-networking",
        "--skip-grant-tables", "--max-connections=500", "--character-set-server=utf8mb3",
        f"--init-file={first}", *UNSAFE,
    )  # fmt: skip
    crew.start(Process("mariadb", command))
    crew.until("mariadb", lambda: _answers(site.socket))


def _answers(path: Path) -> bool:
    """The server greets who connects, but not before it has run its first statements."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            return bool(client.recv(1))
        except OSError:
            return False


def create(services: tuple[Service, ...]) -> list[str]:
    """Statements that make the services' databases."""
    return [f"CREATE DATABASE IF NOT EXISTS {name}" for service in services for name in service.databases]


def move(site: Site, services: tuple[Service, ...]) -> list[str]:
    """Statements that tell the catalog where the services are now."""
    return [
        "UPDATE keystone.endpoint JOIN keystone.service ON endpoint.service_id = service.id "
        f"SET endpoint.url = '{site.url(service.name)}{service.path}' WHERE service.type = '{service.kind}'"
        for service in services
    ]


def queue(site: Site) -> list[Process]:
    """RabbitMQ, and the name service of Erlang, which it would start as a daemon of the machine's."""
    home = site.state("rabbit")
    names = {"ERL_EPMD_ADDRESS": HOST, "ERL_EPMD_PORT": str(site.ports["epmd"]), "HOME": str(home)}
    settings = {
        "NODENAME": "ixy@localhost",
        "NODE_IP_ADDRESS": HOST,
        "NODE_PORT": str(site.ports["rabbit"]),
        "DIST_PORT": str(site.ports["rabbit-peers"]),
        "MNESIA_BASE": str(home / "mnesia"),
        "LOG_BASE": str(home),
        "ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "CONF_ENV_FILE": "/dev/null",
        "SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1:1",
    }
    environment = {**names, **{f"RABBITMQ_{name}": value for name, value in settings.items()}}
    epmd = (programs.find("epmd"), "-address", HOST, "-port", str(site.ports["epmd"]))
    return [Process("epmd", epmd), Process("rabbit", (RABBIT,), ("epmd",), environment)]


PORTS = ("epmd", "rabbit", "rabbit-peers")
