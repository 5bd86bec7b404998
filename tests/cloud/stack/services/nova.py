"""Nova: servers, on a host that runs them under emulation, or only pretends to."""

from __future__ import annotations

from collections.abc import Callable

from stack.service import Command, Process, Sections, Service, login, token_check, web
from stack.site import API, VM, Site

CELL_QUEUE = "{scheme}://{username}:{password}@{hostname}:{port}/"
CELL_DATABASE = "{scheme}://{username}@{hostname}/%s?{query}"
"""Nova fills these in from its configuration, so that the databases hold neither ports nor paths."""


DRIVER = {
    API: {"compute_driver": "fake.FakeDriver"},
    VM: {"compute_driver": "libvirt.LibvirtDriver", "force_config_drive": True, "vif_plugging_timeout": 120},
}


def _emulation(site: Site) -> Sections:
    """Options of libvirt; what needs root's rights has them already."""
    helpers = ("vif_plug_linux_bridge_privileged", "nova_sys_admin", "privsep_osbrick")
    return {
        "libvirt": {"virt_type": "qemu", "cpu_mode": "none", "inject_partition": -2},
        **{helper: {"helper_command": site.program("privsep-helper")} for helper in helpers},
    }


HOST: dict[str, Callable[[Site], Sections]] = {API: lambda _site: {}, VM: _emulation}


def files(site: Site) -> dict[str, Sections]:
    """One file for its four processes."""
    state, mine = site.state("nova"), login(site)
    sections = {
        **HOST[site.tier](site),
        "DEFAULT": {
            **DRIVER[site.tier],
            "host": "lab",
            "my_ip": "127.0.0.1",
            "state_path": state,
            "transport_url": site.queue,
            "report_interval": 5,
            "periodic_fuzzy_delay": 0,
        },
        "api_database": {"connection": site.database("nova_api")},
        "database": {"connection": site.database("nova")},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
        "filter_scheduler": {"track_instance_changes": False},
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": token_check(site),
        "service_user": {"send_service_user_token": True, **mine},
        **dict.fromkeys(("placement", "neutron", "cinder"), mine),
        "glance": {"api_servers": site.url("glance")},
        "vnc": {"enabled": False},
        "oslo_concurrency": {"lock_path": state / "locks"},
    }
    return {"nova.conf": sections}


def schema(site: Site) -> list[Command]:
    """Tables, and the two cells that every nova has."""
    manage = (site.program("nova-manage"), "--config-file", _conf(site))
    return [
        (*manage, "api_db", "sync"),
        (*manage, "cell_v2", "map_cell0", "--database_connection", CELL_DATABASE % "nova_cell0"),
        (*manage, "db", "sync"),
        (*manage, "cell_v2", "create_cell", "--name=cell1", f"--transport-url={CELL_QUEUE}",
         f"--database_connection={CELL_DATABASE % 'nova'}"),
    ]  # fmt: skip


def processes(site: Site) -> list[Process]:
    """HTTP, database, the choice of a host, and the host."""
    where = {"OS_NOVA_CONFIG_DIR": str(site.etc("nova"))}
    rest = [
        _process(site, "nova-conductor", "rabbit", "keystone"),
        _process(site, "nova-scheduler", "rabbit", "keystone"),
        _process(site, "nova-compute", "rabbit", "keystone", "placement"),
    ]
    return [web(site, "nova", "nova.wsgi.osapi_compute:application", **where), *rest]


def _process(site: Site, name: str, *after: str) -> Process:
    return Process(name, (site.program(name), "--config-file", _conf(site)), after=after)


def _conf(site: Site) -> str:
    return str(site.etc("nova") / "nova.conf")


NOVA = Service("nova", "compute", "/v2.1", ("nova_api", "nova", "nova_cell0"), files, schema, processes)
