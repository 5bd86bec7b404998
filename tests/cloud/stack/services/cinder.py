"""Cinder: volumes, without bytes in them."""

from __future__ import annotations

from stack.service import Command, Process, Sections, Service, login, token_check, web
from stack.site import Site


def files(site: Site) -> dict[str, Sections]:
    """One file for its three processes."""
    state = site.state("cinder")
    sections: Sections = {
        "DEFAULT": {
            "host": "lab",
            "my_ip": "127.0.0.1",
            "state_path": state,
            "transport_url": site.queue,
            "enabled_backends": "paper",
            "glance_api_servers": site.url("glance"),
            "auth_strategy": "keystone",
            "report_interval": 5,
            "periodic_fuzzy_delay": 0,
            "api_paste_config": site.etc("cinder") / "api-paste.ini",
            "resource_query_filters_file": site.etc("cinder") / "resource_filters.json",
        },
        "paper": {"volume_driver": "ixy_volumes.PaperVolumes", "volume_backend_name": "paper"},
        "database": {"connection": site.database("cinder")},
        "keystone_authtoken": token_check(site),
        "service_user": {"send_service_user_token": True, **login(site)},
        "nova": login(site),
        "oslo_concurrency": {"lock_path": state / "locks"},
    }
    return {"cinder.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables."""
    return [(site.program("cinder-manage"), "--config-file", _conf(site), "db", "sync")]


def processes(site: Site) -> list[Process]:
    """HTTP, the choice of a backend, and the backend."""
    conf = ("--config-file", _conf(site))
    rest = [
        Process(name, (site.program(name), *conf), after=("rabbit", "keystone"))
        for name in ("cinder-scheduler", "cinder-volume")
    ]
    return [web(site, "cinder", "cinder.wsgi.api:application", *conf), *rest]


def _conf(site: Site) -> str:
    return str(site.etc("cinder") / "cinder.conf")


CINDER = Service("cinder", "volumev3", "/v3/$(project_id)s", ("cinder",), files, schema, processes)
