"""Placement: what hosts have, and who uses it."""

from __future__ import annotations

from stack.service import Command, Process, Sections, Service, token_check, web
from stack.site import API, VM, Site

APPLICATION = {API: "placement.wsgi.api:application", VM: "placement.wsgi:init_application()"}


def files(site: Site) -> dict[str, Sections]:
    """One file."""
    sections: Sections = {
        "placement_database": {"connection": site.database("placement")},
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": token_check(site),
    }
    return {"placement.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables."""
    conf = str(site.etc("placement") / "placement.conf")
    return [(site.program("placement-manage"), "--config-file", conf, "db", "sync")]


def processes(site: Site) -> list[Process]:
    """One, for HTTP."""
    where = {"OS_PLACEMENT_CONFIG_DIR": str(site.etc("placement"))}
    return [web(site, "placement", APPLICATION[site.tier], **where)]


PLACEMENT = Service("placement", "placement", "", ("placement",), files, schema, processes)
