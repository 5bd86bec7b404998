"""How tables of config.toml say where a host is and how to log in there."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pytest_ixy import timespan
from pytest_ixy.errors import UsageError
from pytest_ixy.tomlfile import Table

_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%\]-]{0,252}", re.ASCII)


def _host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError("should be a name or address of a host, as for ssh")
    return name


def _time(text: str) -> str:
    try:
        timespan.parse(text)
    except UsageError as error:
        raise ValueError(f"should be a time: {error.what}") from None
    return text


HostName = Annotated[str, AfterValidator(_host)]
Time = Annotated[str, AfterValidator(_time)]
"""Such as `90s`, `30m` or `2h`; `timespan.parse` reads it."""


class Door(Table):
    """How to log in: for all hosts, or for one.

    Attributes:
        user, key: `key` is the path of a private key. What is left out is settled by ~/.ssh/config.
        jumps: Hosts to go through, the first one first: `HOST`, `USER@HOST` or `USER@HOST:PORT`.
    """

    user: str | None = None
    key: str | None = None
    jumps: list[str] | None = None


class Shared(Door):
    """What counts for all hosts that do not say otherwise.

    Attributes:
        ssh_config: What to read in place of ~/.ssh/config.
    """

    ssh_config: str | None = None


class HostTable(Door):
    """One host.

    Attributes:
        host: Its name, address, or `Host` of ~/.ssh/config.
        port: Of its SSH server.
        host_key: The one host key to accept, in place of the known_hosts files.
    """

    host: HostName
    port: Annotated[int, Field(gt=0, lt=65536)] | None = None
    host_key: str | None = None
