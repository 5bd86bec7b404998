"""The stand-in lab as a whole: what a test of the scenario `teravm` is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_ixy.parallel import all_at_once
from pytest_ixy.remote import Host
from teravm.federation import Federation
from teravm.gateway import Gateway
from teravm.machines import ADDRESSES, BASTION
from teravm.putting import root
from teravm.tester import USER, Tester

FEGS = ("feg1", "feg2", "feg3")
LEFT = """shopt -s nullglob
for each in /home/*/.cache/pytest-ixy /run/pytest-ixy/[!l]* /run/pytest-ixy/lease* /dev/shm/*/lease* \
    /tmp/ixy-* /var/tmp/ixy-*; do echo "$each"; done
grep -lsz ^PYTEST_IXY_LEASE= /proc/[0-9]*/environ
true
"""
USUAL: dict[str, dict[str, Any]] = {
    "lab": {"name": "standin", "wait": "5m", "ssh_config": "ssh_config"},
    "agw": {"host": "standin-agw", "install": "90s", "health": "30s"},
    "feg": {"install": "90s", "health": "30s"},
    "ng40": {"host": "standin-ng40", "idle": "20s", "settle": "1s"},
    "lists": {"timeout": "2m", "case_timeout": "1m", "silence": "30s"},
}


class Lab:
    """The lab, and one user's configuration for it.

    Attributes:
        hosts: Connections of the test's own, by each machine's own port on this host.
        agw, fegs, ng40: The machines as a test looks at them and breaks them.
    """

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = hosts
        self.agw, self.ng40 = Gateway(hosts["agw"]), Tester(hosts["ng40"])
        self.fegs = {name: Federation(hosts[name]) for name in FEGS}

    def install(self, folder: Path) -> None:
        """Make the machines what they stand in for; `folder` is an empty one, for packages."""
        jobs = {"agw": lambda: self.agw.install(folder), "ng40": self.ng40.install}
        all_at_once({**jobs, **{name: feg.install for name, feg in self.fegs.items()}})

    def reset(self) -> None:
        """Everything as it was, whatever a test did."""
        jobs = {"agw": self.agw.reset, "ng40": self.ng40.reset}
        all_at_once({**jobs, **{name: feg.reset for name, feg in self.fegs.items()}})

    def leftovers(self) -> list[str]:
        """What runs have left on the lab's machines: leases, folders, processes."""
        said = {name: root(host, LEFT).splitlines() for name, host in self.hosts.items()}
        return [f"{name}: {line}" for name, lines in said.items() for line in lines]

    def configure(
        self,
        folder: Path,
        lists: Mapping[str, str | Mapping[str, Any]],
        fegs: Sequence[str] = ("feg1",),
        **tables: Mapping[str, Any],
    ) -> Path:
        """Write lab.toml, beside it an SSH configuration through the bastion, and the lists on the tester.

        Args:
            folder: Where to.
            lists: Each list's text by name, or its table with the text as `text`.
            fegs: Which FEGs the lab has.
            tables: What else stands in `lab`, `agw`, `ng40`, or in each `feg` or each of `lists`.

        Returns:
            The lab.toml.
        """
        named = {name: {"text": one} if isinstance(one, str) else dict(one) for name, one in lists.items()}
        self.ng40.write({name: one.pop("text") for name, one in named.items()})
        merged = {name: {**usual, **tables.get(name, {})} for name, usual in USUAL.items()}
        texts = [
            _table(f"[{name if name == 'lab' else f'lab.{name}'}]", merged[name]) for name in ("lab", "agw")
        ]
        texts += [_table("[lab.ng40]", merged["ng40"])]
        texts += [
            _table("[[lab.feg]]", {"name": one, "host": f"standin-{one}", **merged["feg"]}) for one in fegs
        ]
        for name, one in named.items():
            texts.append(_table("[[lab.lists]]", {"file": f"{name}.ntl", **merged["lists"], **one}))
        self._write_ssh(folder)
        (folder / "lab.toml").write_text("\n".join(texts))
        return folder / "lab.toml"

    def _write_ssh(self, folder: Path) -> None:
        """Only the bastion can be entered from here; the others are known by their addresses behind it."""
        access = self.hosts[BASTION].access
        lines = ["Host standin-ng40", f"User {USER}", "Host standin-bastion", "HostName 127.0.0.1"]
        lines += [f"Port {access.port}"]
        known = [f"[127.0.0.1]:{access.port} {access.host_key}"]
        for name, address in ADDRESSES.items():
            if name != BASTION:
                lines += [f"Host standin-{name}", f"HostName {address}", "ProxyJump standin-bastion"]
                known += [f"{address} {self.hosts[name].access.host_key}"]
        lines += ["Host standin-*", f"User {access.user}", f"IdentityFile {access.key}", "IdentitiesOnly yes"]
        lines += [f"UserKnownHostsFile {folder / 'known_hosts'}"]
        (folder / "ssh_config").write_text("\n".join(lines) + "\n")
        (folder / "known_hosts").write_text("\n".join(known) + "\n")


def _table(title: str, values: Mapping[str, Any]) -> str:
    return "\n".join([title, *(f"{name} = {json.dumps(value)}" for name, value in values.items()), ""])
