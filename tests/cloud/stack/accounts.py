"""Who may use the stack: projects, users, and the catalog that tells them where everything is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stack.service import Service
from stack.site import PASSWORD, REGION, Site


@dataclass(frozen=True)
class Account:
    """A user in a project.

    Attributes:
        user: The name to log in as.
        project: The name of the project.
        role: What the user may do there.
    """

    user: str
    project: str
    role: str = "member"


ACCOUNTS = {
    "admin": Account("admin", "admin", "admin"),
    "tenant": Account("ixy", "ixy"),
    "neighbour": Account("neighbour", "ixy"),
    "other": Account("other", "other"),
}
"""By their names in clouds.yaml. The neighbour works in the tenant's project, the other beside it."""

SERVICES = (Account("service", "service", "admin"), Account("service", "service", "service"))


def clouds(site: Site) -> dict[str, Any]:
    """What is in clouds.yaml, which may as well be JSON."""
    return {"clouds": {name: cloud(site, account) for name, account in ACCOUNTS.items()}}


def cloud(site: Site, account: Account) -> dict[str, Any]:
    """How an account is used."""
    return {
        "auth": {
            "auth_url": site.auth_url,
            "username": account.user,
            "password": PASSWORD,
            "project_name": account.project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": REGION,
    }


def connect(site: Site, name: str) -> Any:
    """A connection of an account."""
    import openstack

    return openstack.connect(load_yaml_config=False, load_envvars=False, **cloud(site, ACCOUNTS[name]))


def make(site: Site, services: tuple[Service, ...]) -> None:
    """Make all accounts but the administrator's, and the catalog."""
    identity = connect(site, "admin").identity
    for account in (*SERVICES, *ACCOUNTS.values()):
        _make_account(identity, account)
    for service in services[1:]:  # keystone made its own
        _make_entry(identity, service, site.url(service.name) + service.path)


def _make_account(identity: Any, account: Account) -> None:
    project = identity.find_project(account.project) or identity.create_project(name=account.project)
    user = identity.find_user(account.user) or identity.create_user(name=account.user, password=PASSWORD)
    role = identity.find_role(account.role) or identity.create_role(name=account.role)
    identity.assign_project_role_to_user(project, user, role)


def _make_entry(identity: Any, service: Service, url: str) -> None:
    made = identity.create_service(name=service.name, type=service.kind)
    for interface in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=made.id, interface=interface, url=url, region_id=REGION)
