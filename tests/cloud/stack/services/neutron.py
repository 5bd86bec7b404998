"""Neutron: networks, ports, routers, floating IPs; of Linux bridges, or on paper."""

from __future__ import annotations

from dataclasses import replace

from stack.service import Command, Process, Sections, Service, login, token_check, web
from stack.site import API, HOST, VM, Site

DRIVER = {
    API: {"mechanism_drivers": "ixy_binder", "tenant_network_types": "vxlan"},
    VM: {"mechanism_drivers": "linuxbridge", "tenant_network_types": "local"},
}
DNSMASQ = "/run/ixy-dnsmasq.conf"
"""Made by vm/host.py: there dnsmasq stays root, for nobody else may look into root's home."""
PLUGGED: dict[str, dict[str, object]] = {
    API: {"notify_nova_on_port_status_changes": False, "notify_nova_on_port_data_changes": False},
    VM: {
        "interface_driver": "linuxbridge",
        "host": "lab",
        "enable_metadata_proxy": False,
        "dnsmasq_config_file": DNSMASQ,
    },
}
AGENTS = ("neutron-linuxbridge-agent", "neutron-dhcp-agent", "neutron-l3-agent")


def bridges(site: Site) -> Sections:
    """Options of the agents; what needs root's rights has them already."""
    helpers = ("privsep", "privsep_dhcp_release", "privsep_namespace", "privsep_conntrack", "privsep_link")
    return {
        "experimental": {"linuxbridge": True},
        "agent": {"root_helper": "env"},
        **{helper: {"helper_command": site.program("privsep-helper")} for helper in helpers},
        "linux_bridge": {"physical_interface_mappings": "outside:outside-in"},
        "vxlan": {"enable_vxlan": False},
        # were it off, a port without security groups would be refused
        "securitygroup": {"firewall_driver": "noop", "enable_security_group": True},
    }


def files(site: Site) -> dict[str, Sections]:
    """One file."""
    state, mine = site.state("neutron"), login(site)
    sections = {
        "DEFAULT": {
            **PLUGGED[site.tier],
            "bind_host": HOST,
            "bind_port": site.ports["neutron"],
            "core_plugin": "ml2",
            "service_plugins": "router",
            "transport_url": site.queue,
            "auth_strategy": "keystone",
            "state_path": state,
            "api_paste_config": site.etc("neutron") / "api-paste.ini",
        },
        "database": {"connection": site.database("neutron")},
        "keystone_authtoken": token_check(site),
        "nova": mine,
        "placement": mine,
        "oslo_concurrency": {"lock_path": state / "locks"},
        "ml2": {
            "type_drivers": "flat,vxlan,local",
            "extension_drivers": "port_security",
            **DRIVER[site.tier],
        },
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "ml2_type_flat": {"flat_networks": "*"},
        **(bridges(site) if site.tier == VM else {}),
    }
    return {"neutron.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables: some hundred steps, the slowest of all."""
    return [(site.program("neutron-db-manage"), "--config-file", _conf(site), "upgrade", "heads")]


def processes(site: Site) -> list[Process]:
    """HTTP alone, or with the agents that plug."""
    if site.tier == VM:
        server = _process(site, "neutron-server", "rabbit")
        agents = [_process(site, name, "rabbit", "neutron") for name in AGENTS]
        return [replace(server, name="neutron"), *agents]
    where = {"OS_NEUTRON_CONFIG_DIR": str(site.etc("neutron")), "OS_NEUTRON_CONFIG_FILES": _conf(site)}
    return [web(site, "neutron", "neutron.wsgi.api:application", **where)]


def _process(site: Site, name: str, *after: str) -> Process:
    return Process(name, (site.program(name), "--config-file", _conf(site)), after)


def _conf(site: Site) -> str:
    return str(site.etc("neutron") / "neutron.conf")


NEUTRON = Service("neutron", "network", "", ("neutron",), files, schema, processes)
