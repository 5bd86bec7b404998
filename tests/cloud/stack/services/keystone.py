"""Keystone: users, projects, tokens, and the catalog of all the others."""

from __future__ import annotations

from stack.service import Command, Process, Sections, Service, web
from stack.site import API, PASSWORD, REGION, VM, Site

APPLICATION = {
    API: "keystone.wsgi.api:application",
    VM: "keystone.server.wsgi:initialize_public_application()",
}


def files(site: Site) -> dict[str, Sections]:
    """Keys live beside the configuration; `prepare.py` makes them."""
    etc = site.etc("keystone")
    sections: Sections = {
        "database": {"connection": site.database("keystone")},
        "token": {"provider": "fernet"},
        "fernet_tokens": {"key_repository": etc / "fernet"},
        "fernet_receipts": {"key_repository": etc / "fernet"},
        "credential": {"key_repository": etc / "credential"},
    }
    return {"keystone.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables, and an administrator."""
    manage = (site.program("keystone-manage"), "--config-file", str(site.etc("keystone") / "keystone.conf"))
    address = [f"--bootstrap-{kind}-url={site.auth_url}" for kind in ("admin", "internal", "public")]
    who = [f"--bootstrap-password={PASSWORD}", f"--bootstrap-region-id={REGION}"]
    return [(*manage, "db_sync"), (*manage, "bootstrap", *who, *address)]


def processes(site: Site) -> list[Process]:
    """One, for HTTP."""
    etc = site.etc("keystone")
    where = {"OS_KEYSTONE_CONFIG_DIR": str(etc), "OS_KEYSTONE_CONFIG_FILES": str(etc / "keystone.conf")}
    return [web(site, "keystone", APPLICATION[site.tier], **where)]


KEYSTONE = Service("keystone", "identity", "/v3", ("keystone",), files, schema, processes)
