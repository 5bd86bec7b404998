"""Fill the databases: the slow part of a first start, kept for the next ones."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from pathlib import Path

from stack import accounts, daemons
from stack.running import Crew, in_parallel
from stack.service import Service

KEPT = ("db", "etc/keystone/fernet", "etc/keystone/credential")
"""What belongs together: the databases, and the keys that what is in them was made with."""


def fill(crew: Crew, services: tuple[Service, ...]) -> None:
    """Have the site's databases filled: copied from the cache, or made and kept there."""
    site = crew.site
    if site.kept.exists():
        _copy(site.kept, site.folder)
    else:
        _make(crew, services)
        _copy(site.folder, site.kept)


def _make(crew: Crew, services: tuple[Service, ...]) -> None:
    for name in ("fernet", "credential"):
        _make_keys(crew.site.etc("keystone") / name)
    crew.run([daemons.database_files(crew.site)])
    daemons.start_database(crew, daemons.create(services))
    keystone = services[0]
    others = [lambda service=service: crew.run(service.schema(crew.site)) for service in services[1:]]
    in_parallel([lambda: _make_accounts(crew, keystone, services), *others])
    crew.stop("mariadb")


def _make_keys(folder: Path) -> None:
    """Two keys, as `keystone-manage fernet_setup` makes them: the one in use, and the next."""
    folder.mkdir(parents=True, mode=0o700)
    for number in ("0", "1"):
        key = base64.urlsafe_b64encode(secrets.token_bytes(32))
        (folder / number).write_bytes(key)


def _make_accounts(crew: Crew, keystone: Service, services: tuple[Service, ...]) -> None:
    crew.run(keystone.schema(crew.site))
    crew.start_all(keystone.processes(crew.site))
    accounts.make(crew.site, services)
    crew.stop("keystone")


def _copy(source: Path, target: Path) -> None:
    """Copy what is kept; a folder of the cache is there as a whole or not at all."""
    draft = target if target.exists() else target.with_suffix(f".{os.getpid()}.part")
    for name in KEPT:
        shutil.copytree(source / name, draft / name, dirs_exist_ok=True)
    if draft != target:
        draft.rename(target)
