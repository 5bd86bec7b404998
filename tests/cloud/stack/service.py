"""What a service of OpenStack consists of, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.site import PASSWORD, REGION, Site

Sections = Mapping[str, Mapping[str, object]]
Command = tuple[str, ...]

WEB = Path(__file__).parent / "inside" / "web.py"


@dataclass(frozen=True)
class Process:
    """A process that stays.

    Attributes:
        name: Its name, and its port's when it listens.
        command: How it is started.
        after: Names of listening processes that it needs from its first moment.
        environment: Beside what all processes get.
    """

    name: str
    command: Command
    after: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """A service of OpenStack.

    Attributes:
        name: As its packages call it.
        kind: Its type in the catalog.
        path: What comes after host and port in its address.
        databases: What it keeps its state in.
        files: Its configuration, by file name.
        schema: Programs to run one after the other, once, to fill the databases.
        processes: What runs.
    """

    name: str
    kind: str
    path: str
    databases: tuple[str, ...]
    files: Callable[[Site], Mapping[str, Sections]]
    schema: Callable[[Site], list[Command]]
    processes: Callable[[Site], list[Process]]


def login(site: Site) -> dict[str, object]:
    """How one service proves to another who it is."""
    return {
        "auth_type": "password",
        "auth_url": site.auth_url,
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": "service",
        "password": PASSWORD,
        "region_name": REGION,
    }


def token_check(site: Site) -> dict[str, object]:
    """How a service has the tokens checked that it is shown."""
    roles = {"service_token_roles": "service", "service_token_roles_required": True}
    return {"www_authenticate_uri": site.auth_url, **roles, **login(site)}


def web(site: Site, service: str, application: str, *arguments: str, **environment: str) -> Process:
    """The process that answers a service's HTTP requests; each wants its configuration in another way."""
    command = (site.program("python"), str(WEB), application, str(site.ports[service]), *arguments)
    return Process(service, command, environment=environment)


def as_ini(sections: Sections) -> str:
    """The text of a configuration file."""
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{option} = {value}" for option, value in options.items()]
    return "\n".join(lines) + "\n"
