"""Log in to a cloud, by what a reference tells: the same way for who provisions and for who sweeps."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest_ixy
from pytest_ixy import tomlfile
from pytest_ixy.config import CloudTimeouts, Config, OpenStackTable
from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line
from pytest_ixy.providers.openstack.quiet import quiet
from pytest_ixy.providers.openstack.reference import ENVIRONMENT, Reference
from pytest_ixy.providers.openstack.trouble import PAUSES, attempt
from pytest_ixy.settings import Settings
from pytest_ixy.tomlfile import nearest

REQUEST = CloudTimeouts().request
SERVICES = ("compute", "network", "image", "block_storage")
HINT = "see docs/providers/openstack.md"


@dataclass(frozen=True)
class Cloud:
    """A cloud that we are logged in to.

    Attributes:
        sdk: openstacksdk's connection.
        place: Which project it is, by id.
        where: The same for messages.
    """

    sdk: Any
    place: Reference
    where: str


_known: dict[tuple[Reference, float], Cloud] = {}
_lock = threading.Lock()


def reference(settings: Settings) -> Reference:
    """Where the settings want us to log in; UsageError when they do not tell."""
    table = settings.openstack
    region = (table and table.region) or ""
    if table and table.cloud:
        return Reference(table.cloud, _clouds_file(), region)
    if table and table.auth_url:
        return Reference(file=str(settings.config or ""), region=region)
    if os.environ.get("OS_CLOUD"):
        return Reference(os.environ["OS_CLOUD"], _clouds_file(), region)
    if os.environ.get("OS_AUTH_URL"):
        return Reference(ENVIRONMENT, region=region)
    raise UsageError(
        "The provider openstack is not told which cloud to use.",
        hint='write cloud = "NAME" (of clouds.yaml) or auth_url and the rest into [openstack] of config.toml',
    )


def _clouds_file() -> str:
    """The clouds.yaml that openstacksdk finds from here: a sweep may start in another folder."""
    from openstack.config import OpenStackConfig

    found = OpenStackConfig().config_filename
    return str(Path(found).absolute()) if found else ""


@quiet()
def enter(place: Reference, request: float = REQUEST) -> Cloud:
    """Log in, once in a process.

    Args:
        place: Where.
        request: Seconds that the cloud may take to answer a request.

    Raises:
        IxyError: that is not possible; UsageError where the user can mend it.
    """
    with _lock:
        key = (replace(place, project=""), request)
        if key not in _known:
            _known[key] = _log_in(key[0], request)
        cloud = _known[key]
    if place.project and place.project != cloud.place.project:
        raise UsageError(
            f"{cloud.where} is now another project than {place.project}, of which this is.",
            hint="log in to that one: see project_name, or clouds.yaml",
        )
    return cloud


def _log_in(place: Reference, request: float) -> Cloud:
    def work() -> tuple[Any, str]:
        sdk = _by_name(place, request) if place.cloud else _by_table(place, request)
        return sdk, sdk.session.get_project_id()

    sdk, project = attempt("log in", place.words, work, PAUSES[:2])
    if not project:
        raise UsageError(f"{place.words} gives us no project.", hint="name one: project_name, or clouds.yaml")
    for service in SERVICES:  # made when first asked for, which threads must not do at once
        attempt(f"find the service {service}", place.words, partial(_service, sdk, service))
    where = f"{place.words} (project {project})"
    return Cloud(sdk, replace(place, project=project), where)


def _service(sdk: Any, name: str) -> None:
    from openstack import exceptions

    try:
        getattr(sdk, name).get_endpoint()
    except (
        AttributeError,
        exceptions.NotSupported,
        exceptions.EndpointNotFound,
        exceptions.ServiceDisabledException,
    ):
        if name != "block_storage":
            raise


def _by_name(place: Reference, request: float) -> Any:
    import openstack
    from openstack.config import OpenStackConfig

    files = [place.file] if place.file else None
    config = OpenStackConfig(config_files=files, app_name="pytest-ixy", app_version=pytest_ixy.__version__)
    names = sorted(config.get_cloud_names())
    if place.cloud not in names:
        raise UsageError(
            f"{place.file or 'No clouds.yaml was found, which'} has no cloud {one_line(place.cloud)!r}"
            f"{nearest(place.cloud, names)}.",
            hint=HINT,
        )
    more: dict[str, Any] = {"region_name": place.region} if place.region else {}
    return openstack.connection.Connection(config=config.get_one(place.cloud, api_timeout=request, **more))


def _by_table(place: Reference, request: float) -> Any:
    import openstack

    table = _table(place)
    return openstack.connect(
        auth=_auth(table, place, request),
        region_name=place.region or None,
        api_timeout=request,
        app_name="pytest-ixy",
        app_version=pytest_ixy.__version__,
        load_yaml_config=False,
        load_envvars=False,
    )


def _table(place: Reference) -> OpenStackTable:
    table = tomlfile.read(Path(place.file)).check(Config).openstack
    if table is None:
        raise UsageError(f"{place.file} has no table [openstack] any more.", hint=HINT)
    return table


def _auth(table: OpenStackTable, place: Reference, request: float) -> dict[str, str]:
    password = table.password.get_secret_value() if table.password else os.environ.get("OS_PASSWORD", "")
    given = {"auth_url": table.auth_url, "user_name": table.user_name, "password": password}
    if missing := [name for name, value in given.items() if not value]:
        raise UsageError(
            f"[openstack] of {place.file} has no {' and no '.join(missing)}.",
            hint="write it there, or the password into the variable OS_PASSWORD",
        )
    user = {
        "auth_url": str(table.auth_url),
        "username": str(table.user_name),
        "password": password,
        "user_domain_name": table.user_domain or "Default",
    }
    return user | _project(table, user, request)


def _project(table: OpenStackTable, user: dict[str, str], request: float) -> dict[str, str]:
    """What tells the project; without its domain the cloud is asked which of the user's it is."""
    name = table.project_name
    if not name:
        raise UsageError("[openstack] names no project.", hint="write project_name into it")
    if table.project_domain:
        return {"project_name": name, "project_domain_name": table.project_domain}
    found = {each["id"]: each["name"] for each in _projects(user, request)}
    if ids := [id_ for id_, its in found.items() if name in {id_, its}]:
        if len(ids) > 1:
            raise UsageError(f"{len(ids)} projects are called {name!r}.", hint="write project_domain, too")
        return {"project_id": ids[0]}
    known = nearest(name, sorted(found.values()))
    raise UsageError(f"{user['username']} has no project {one_line(name)!r}{known}.", hint=HINT)


def _projects(user: dict[str, str], request: float) -> list[dict[str, str]]:
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    url = user["auth_url"].rstrip("/")
    url = url if url.endswith("/v3") else f"{url}/v3"
    names = {key: value for key, value in user.items() if key != "auth_url"}
    auth: Any = v3.Password
    session = Session(auth=auth(url, **names, unscoped=True), timeout=request)
    projects: list[dict[str, str]] = session.get(f"{url}/auth/projects").json()["projects"]
    return projects
