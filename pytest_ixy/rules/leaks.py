"""What the roles left on their nodes: `leaks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.leftovers import Leftovers, leftovers
from pytest_ixy.rules.finding import ALONE, Finding, failed, passed, skipped
from pytest_ixy.rules.rule import LARGE, Option, Rule, Severity
from pytest_ixy.rules.words import count, one_line, shortened

if TYPE_CHECKING:
    from pytest_ixy.nodestate import Device, Living
    from pytest_ixy.rules.evidence import Evidence

LISTED = 10

PAGES = Option("max_kib", 0, "huge pages that may stay used, in KiB of each role")
PROCESSES = Option("max_processes", 0, "processes that a role may leave running")
DEVICES = Option(
    "max_devices",
    LARGE,
    "devices that a role may leave without the driver that they had, or able to write to memory by "
    "themselves; programs of the ixy family do so by design",
)


def judge_leaks(evidence: Evidence) -> Finding:
    """See `LEAKS`."""
    nodes = evidence.manifest.nodes
    left = {node.name: leftovers(node.before, node.after) for node in nodes if node.before and node.after}
    if not left:
        return skipped("leaks", ALONE if evidence.alone else "nobody has looked at the nodes")
    titles = [f"{role} {words}" for role, found in left.items() if (words := _title(found, evidence))]
    numbers = _numbers(left)
    lines = [line for role, found in left.items() for line in _lines(role, found)]
    if titles:
        return failed("leaks", "; ".join(titles), numbers, lines)
    return passed("leaks", f"{', '.join(left)} left nothing behind that must not stay", numbers, lines)


def _numbers(left: dict[str, Leftovers]) -> dict[str, int | float | str]:
    return {
        "kib": sum(found.kib for found in left.values()),
        "files": sum(len(found.files) for found in left.values()),
        "devices": sum(len(found.devices) + len(found.gone) for found in left.values()),
        "processes": sum(len(found.processes) for found in left.values()),
    }


def _title(found: Leftovers, evidence: Evidence) -> str:
    """What of it is too much, behind the role's name; empty when nothing is."""
    terms = evidence.terms("leaks")
    parts = []
    if found.kib > PAGES.of(terms):
        parts.append(f"left {_pages(found)}")
    if len(found.processes) > PROCESSES.of(terms):
        names = ", ".join(one_line(one.name) for one in found.processes[:LISTED])
        parts.append(f"left {len(found.processes)} of its processes running ({names})")
    if len(found.devices) > DEVICES.of(terms):
        parts.append(f"did not give {count(len(found.devices), 'device')} back")
    if found.gone:
        parts.append(f"made {', '.join(map(one_line, found.gone))} vanish")
    return " and ".join(parts)


def _pages(found: Leftovers) -> str:
    parts = [f"{count(number, 'huge page')} of {size:,} KiB" for size, number in sorted(found.pages.items())]
    files = f", in {count(len(found.files), 'file')}" if found.files else ""
    return f"{' and '.join(parts)} in use{files}"


def _lines(role: str, found: Leftovers) -> list[str]:
    """All that is left, also what may be."""
    lines = [f"{role}: {_pages(found)}"] if found.pages else []
    lines += [f"{role}: the file {shortened(one_line(file))}" for file in found.files[:LISTED]]
    lines += [f"{role}: {_device(*pair)}" for pair in found.devices[:LISTED]]
    return lines + [f"{role}: {_process(one)}" for one in found.processes[:LISTED]]


def _device(old: Device, new: Device) -> str:
    had, has = (
        f"driver {one_line(device.driver)}" if device.driver else "no driver" for device in (old, new)
    )
    able = ", and it may still write to memory by itself" if new.masters and not new.driver else ""
    return f"the device {one_line(old.pci)} had {had} and has {has}{able}"


def _process(one: Living) -> str:
    return f"process {one.pid}, {one_line(one.name)}"


LEAKS = Rule(
    "leaks",
    "No role leaves anything behind on its node once it has ended: no huge pages in use that were free "
    "before, no process that still runs, no test NIC that is gone. A NIC that has lost its kernel's driver "
    "is told, but may stay so unless `max_devices` says otherwise. Before the next trial the node is put "
    "back in order.",
    judge_leaks,
    Severity("report"),
    (PAGES, PROCESSES, DEVICES),
)
