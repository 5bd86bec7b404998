"""The first process of a cage with a stack: starts all, says that it is ready, stays.

Run as `python -m stack.supervisor TIER FOLDER KEPT`, with the services' own Python. In FOLDER it leaves
`clouds.yaml` and at last `ready`, or `failed` with the reason.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from stack import accounts, daemons, furnish, prepare
from stack.running import Crew, in_parallel
from stack.service import Service, as_ini
from stack.services.cinder import CINDER
from stack.services.glance import GLANCE
from stack.services.keystone import KEYSTONE
from stack.services.neutron import NEUTRON
from stack.services.nova import NOVA
from stack.services.placement import PLACEMENT
from stack.site import API, VM, Site, free_ports

SERVICES = {
    API: (KEYSTONE, NEUTRON, NOVA, CINDER, GLANCE, PLACEMENT),
    VM: (KEYSTONE, NEUTRON, NOVA, GLANCE, PLACEMENT),
}
"""Keystone first; then those with the longest schemas."""


def write_files(site: Site, services: tuple[Service, ...]) -> None:
    """Configuration, and the folders that the services expect."""
    states = [site.state(service.name) for service in services]
    for folder in (site.log("any").parent, site.state("rabbit"), *states, site.state("nova") / "instances"):
        folder.mkdir(parents=True, exist_ok=True)
    for service in services:
        etc = site.etc(service.name)
        etc.mkdir(parents=True)
        for shipped in (site.venv / "etc" / service.name).glob("*.[ij]*"):  # .ini and .json
            shutil.copy(shipped, etc)
        for name, sections in service.files(site).items():
            (etc / name).write_text(as_ini(sections), encoding="utf-8")


def bring_up(crew: Crew) -> None:
    """Start everything and wait until it can be used."""
    site, services = crew.site, SERVICES[crew.site.tier]
    write_files(site, services)
    below = [lambda: crew.start_all(daemons.queue(site)), lambda: prepare.fill(crew, services)]
    told("filled databases, RabbitMQ", lambda: in_parallel(below))
    told("MariaDB", lambda: daemons.start_database(crew, daemons.move(site, services)))
    processes = [process for service in services for process in service.processes(site)]
    told("processes", lambda: crew.start_all(processes))
    admin = accounts.connect(site, "admin")
    told("hosts", lambda: furnish.until_ready(crew, admin))
    told("flavors, image, network", lambda: furnish.furnish(admin))


def told(what: str, job: Callable[[], None]) -> None:
    """Do a part, and print how long it took."""
    since = time.monotonic()
    job()
    print(f"{time.monotonic() - since:6.1f} s {what}", flush=True)


def main() -> None:
    """Bring the stack up, then watch over it until somebody ends this process."""
    tier, (folder, kept) = sys.argv[1], map(Path, sys.argv[2:])
    names = [*daemons.PORTS, *(service.name for service in SERVICES[tier])]
    crew = Crew(Site(tier, folder, Path(sys.prefix), kept, free_ports(names)))
    try:
        bring_up(crew)
        (folder / "clouds.yaml").write_text(
            json.dumps(accounts.clouds(crew.site), indent=2), encoding="utf-8"
        )
        (folder / "ready").touch()
        while True:
            crew.check()
            time.sleep(1)
    except Exception as error:  # noqa: BLE001 - whoever waits must be told
        traceback.print_exc()
        (folder / "failed").write_text(f"{type(error).__name__}: {error}\n", encoding="utf-8")
        sys.stderr.flush()
        os._exit(1)  # threads may be waiting for what will never come


if __name__ == "__main__":
    main()
