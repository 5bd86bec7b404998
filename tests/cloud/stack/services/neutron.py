"""Neutron: networks, ports, routers, floating IPs; bound on paper."""

from __future__ import annotations

from stack.service import Command, Process, Sections, Service, login, token_check, web
from stack.site import Site


def files(site: Site) -> dict[str, Sections]:
    """One file."""
    state, mine = site.state("neutron"), login(site)
    sections: Sections = {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "router",
            "transport_url": site.queue,
            "auth_strategy": "keystone",
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
            "state_path": state,
            "api_paste_config": site.etc("neutron") / "api-paste.ini",
        },
        "database": {"connection": site.database("neutron")},
        "keystone_authtoken": token_check(site),
        "nova": mine,
        "placement": mine,
        "oslo_concurrency": {"lock_path": state / "locks"},
        "ml2": {
            "type_drivers": "flat,vxlan",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "ixy_binder",
            "extension_drivers": "port_security",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "ml2_type_flat": {"flat_networks": "*"},
    }
    return {"neutron.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables: some hundred steps, the slowest of all."""
    return [(site.program("neutron-db-manage"), "--config-file", _conf(site), "upgrade", "heads")]


def processes(site: Site) -> list[Process]:
    """One, for HTTP; agents there are none."""
    where = {"OS_NEUTRON_CONFIG_DIR": str(site.etc("neutron")), "OS_NEUTRON_CONFIG_FILES": _conf(site)}
    return [web(site, "neutron", "neutron.wsgi.api:application", **where)]


def _conf(site: Site) -> str:
    return str(site.etc("neutron") / "neutron.conf")


NEUTRON = Service("neutron", "network", "", ("neutron",), files, schema, processes)
