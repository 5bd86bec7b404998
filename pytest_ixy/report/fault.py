"""Which role is at fault, in one line, from trials of one program of the target among references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ixy.report.text import line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.report.subjects import Subject

BACK = "-back"
REFERENCES = "references"
REVERSED = "with its NICs the other way round"
LONGEST = 1000

Tried = dict[str, Mapping[str, Any]]
"""What came of each part: see `alone.Tried.as_dict`."""


def fault(subject: Subject) -> str:
    """The line, such as `fwd (beside references it fails size; pktgen and pcap pass): BUNDLE`.

    Where nothing was tried it names who did not end in order; empty where all did.
    """
    if not subject.alone:
        return line(_broke(subject), LONGEST)
    return line(_words(subject.alone, red=subject.counts["failed"] > 0), LONGEST)


def _broke(subject: Subject) -> str:
    """Who broke, by the rule `exits`, such as `fwd (fwd was ended by SIGSEGV)`."""
    exits = (row for row in subject.tests if row.name == "exits" and row.outcome == "failed")
    return next((f"{row.numbers['broke']} ({row.title})" for row in exits if row.numbers.get("broke")), "")


def _words(tried: Tried, *, red: bool) -> str:
    failing = {part: found for part, found in tried.items() if found["failing"] and part != REFERENCES}
    if failing:
        return _blame(tried, failing)
    if REFERENCES in tried:
        found = tried[REFERENCES]
        return f"the lab (references alone fail {', '.join(found['failing'])}): {_bundle(found)}"
    passed = f"{_listed(tried)} pass beside references"
    return f"none alone: {passed}, so they fail only together" if red else f"none: {passed}"


def _blame(tried: Tried, failing: Tried) -> str:
    roles = dict.fromkeys(map(_role, failing))
    parts = [_fails(role, tried, "it" if len(roles) == 1 else role) for role in roles]
    if passing := {_role(part): None for part in tried if _role(part) not in {*roles, REFERENCES}}:
        parts.append(f"{_listed(passing)} pass{'es' if len(passing) == 1 else ''}")
    shown = {_role(part): _bundle(failing[part]) for part in reversed(failing)}
    bundles = ", ".join(shown[role] for role in roles)
    return f"{_listed(roles)} (beside references {'; '.join(parts)}): {bundles}"


def _fails(role: str, tried: Tried, name: str) -> str:
    """What a role fails; of fwd also which way round."""
    there, back = (tried[part]["failing"] if part in tried else None for part in (role, role + BACK))
    if there == back or back is None:
        return f"{name} fails {', '.join(there or ())}"
    if not there:
        return f"{name} fails {', '.join(back)} {REVERSED}"
    other = f"and {', '.join(back)}" if back else "but nothing"
    return f"{name} fails {', '.join(there)}, {other} {REVERSED}"


def _bundle(found: Mapping[str, Any]) -> str:
    """Its path, short where it lies below the working directory."""
    path, here = Path(found["bundle"]), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _role(part: str) -> str:
    return part.removesuffix(BACK)


def _listed(parts: Iterable[str]) -> str:
    *most, last = dict.fromkeys(map(_role, parts))
    return f"{', '.join(most)} and {last}" if most else last
