"""Glance: images, kept as files."""

from __future__ import annotations

from stack.service import Command, Process, Sections, Service, login, token_check, web
from stack.site import API, VM, Site

APPLICATION = {API: "glance.wsgi.api:application", VM: "glance.common.wsgi_app:init_app()"}


def files(site: Site) -> dict[str, Sections]:
    """One file; the staging and task stores are asked for even where nobody uses them."""
    state = site.state("glance")
    sections: Sections = {
        "DEFAULT": {"enabled_backends": "file:file"},
        "database": {"connection": site.database("glance")},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": state / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": state / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": state / "tasks"},
        "paste_deploy": {"flavor": "keystone"},
        "keystone_authtoken": token_check(site),
        "oslo_limit": login(site),
    }
    return {"glance-api.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables."""
    conf = str(site.etc("glance") / "glance-api.conf")
    return [(site.program("glance-manage"), "--config-file", conf, "db_sync")]


def processes(site: Site) -> list[Process]:
    """One, for HTTP."""
    where = {"OS_GLANCE_CONFIG_DIR": str(site.etc("glance"))}
    return [web(site, "glance", APPLICATION[site.tier], **where)]


GLANCE = Service("glance", "image", "", ("glance",), files, schema, processes)
