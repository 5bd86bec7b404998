"""Which nodes are so alike that one build of a target does for all of them, and what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import kept
from pytest_ixy.bundle import ProviderRecord
from pytest_ixy.pack import content
from pytest_ixy.parallel import all_at_once
from pytest_ixy.remote import Host
from pytest_ixy.target import Target
from pytest_ixy.testbed import Hosts, close

NODE = """echo "$HOSTTYPE $USER $HOME"
printf '%s\\n' "$(</proc/version)" "$(</etc/os-release)"
while IFS= read -r line && [[ $line ]]; do
    [[ $line != @(model name|flags|Features)* ]] || echo "$line"
done </proc/cpuinfo
"""
"""Says of a node all on which a build may depend beside its image."""
TIMEOUT = 60.0


@dataclass(frozen=True)
class Where:
    """What all nodes have in common: who made them, and whether they are cut off from everything."""

    provider: ProviderRecord
    offline: bool


@dataclass(frozen=True)
class Batch:
    """Nodes that share a build.

    Attributes:
        target: What is built.
        roles: Theirs; the first one's node builds.
        name: Under which the build is kept; None where it is not to be.
    """

    target: Target
    roles: tuple[str, ...]
    name: str | None

    @property
    def first(self) -> str:
        """The role on whose node is built."""
        return self.roles[0]

    @property
    def others(self) -> tuple[str, ...]:
        """The roles that get what was built there."""
        return self.roles[1:]


def batches(hosts: Hosts, programs: Mapping[str, Target], where: Where) -> list[Batch]:
    """The batches of nodes whose targets allow it; the nodes are asked what they are.

    Args:
        hosts: The nodes.
        programs: What is to be built for them, by role.
        where: What they have in common.

    Raises:
        LabError: a node was lost.
    """
    roles = sorted(role for role, one in programs.items() if one.spec.build_once and one.spec.build)
    jobs = {role: lambda role=role: _words(hosts[role]) for role in roles}
    words = all_at_once(jobs, abort=lambda: close(hosts))
    alike: dict[tuple[Path, str], list[str]] = {}
    for role in roles:
        alike.setdefault((programs[role].folder, words[role]), []).append(role)
    return [_batch(programs[group[0]], group, where, said) for (_, said), group in alike.items()]


def _words(host: Host) -> str:
    return host.run(NODE, timeout=TIMEOUT, check=True).output


def _batch(target: Target, roles: list[str], where: Where, words: str) -> Batch:
    return Batch(target, tuple(roles), _name(target, where, words))


def _name(target: Target, where: Where, words: str) -> str | None:
    """None for hosts without an image: these are not made anew, so who knows what was done to them."""
    made = where.provider
    if made.image is None:
        return None
    machine = (made.name, made.image, made.accelerator or "", str(where.offline), words)
    record = target.record
    return kept.name_of(*machine, record.name, record.commit, content(target.folder), target.spec.build)
