"""The command lines that ask the same question again, ready to paste into a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.cases import DUPLEX
from pytest_ixy.dialect import names, shipped
from pytest_ixy.report.roles import FLOW
from pytest_ixy.report.text import shell, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ixy.bundle import Bundle, Manifest, TargetRecord

DEFAULT_PROVIDER, USUAL = "qemu", "forward"
LOCALISE, LIFECYCLE, SOAK = "localise", "lifecycle", "soak"
OWN, REFERENCE = "target", "reference"
OPTIONS, OFFLINE = ("config", "idle", "image", "accel", "memory", "nic"), "offline"
"""What is repeated as it was given, and a switch."""


def rerun(manifest: Manifest) -> str:
    """The pytest command for this target at this commit; a changed work tree is taken as it stands now.

    Empty where nobody knows the target.
    """
    target = manifest.target
    if not target.source:
        return ""
    words = [f"--ixy-repo={without_password(target.source)}"]
    if not target.dirty:
        words.append(f"--ixy-ref={target.commit}")
    words += _packets(manifest)
    if manifest.provider.name != DEFAULT_PROVIDER:
        words.append(f"--ixy-provider={manifest.provider.name}")
    words += _scenario(manifest)
    words += _options(manifest)
    words += _terms(manifest)
    return " ".join(["pytest", *map(shell, words)])


def replay(bundle: Bundle) -> str:
    """The pytest command that judges a bundle or capture again, without any lab.

    A bundle has on record how it was judged; for a capture alone that is said once more. What localise leaves
    is judged as what forward leaves: which program is at fault takes more than one trial.
    """
    words = [f"--ixy-replay={bundle.path.absolute()}"]
    if not bundle.alone and bundle.manifest.scenario not in {USUAL, LOCALISE}:
        words.append(f"--ixy-scenario={bundle.manifest.scenario}")
    if bundle.alone:
        words += [*_packets(bundle.manifest), *_terms(bundle.manifest)]
    return " ".join(["pytest", *map(shell, words)])


def _scenario(manifest: Manifest) -> Iterator[str]:
    scenario = LOCALISE if _only_of_localise(manifest) else manifest.scenario
    if scenario != USUAL:
        yield f"--ixy-scenario={scenario}"
    if scenario in {USUAL, SOAK, LIFECYCLE}:
        yield from _roles(manifest)


def _roles(manifest: Manifest) -> Iterator[str]:
    """Who played, as far as that was no scenario's own choice."""
    chosen = manifest.course is not None and manifest.course.name == DUPLEX
    for role in () if chosen else FLOW:
        guest, run = manifest.guests.get(role), manifest.roles.get(role)
        if guest or (run and run.player == REFERENCE):
            yield f"--ixy-role={role}={_guest(guest) if guest else REFERENCE}"


def _options(manifest: Manifest) -> Iterator[str]:
    given = manifest.options
    yield from (f"--ixy-{name}={given[name]}" for name in OPTIONS if name in given)
    if given.get(OFFLINE) == str(True):
        yield f"--ixy-{OFFLINE}"


def _guest(record: TargetRecord) -> str:
    """Another repository, at the commit that played; a changed work tree is taken as it stands now."""
    return without_password(record.source) + ("" if record.dirty else f"@{record.commit}")


def _only_of_localise(manifest: Manifest) -> bool:
    """Whether no other scenario has such a trial: of nothing but references, or backwards through fwd."""
    if manifest.scenario != USUAL:
        return False
    swapped = manifest.course is not None and manifest.course.swapped
    return swapped or bool(manifest.roles and all(run.player != OWN for run in manifest.roles.values()))


def _packets(manifest: Manifest) -> Iterator[str]:
    course = manifest.course
    if manifest.scenario == SOAK and course is not None and course.seconds is not None:
        yield f"--ixy-minutes={course.seconds / 60:g}"
    elif manifest.packets is not None and not (course and course.traffic):
        yield f"--ixy-packets={manifest.packets}"


def _terms(manifest: Manifest) -> Iterator[str]:
    """How it was judged, as far as a command line can say it: a dialect that does not ship is left out."""
    dialect = manifest.dialect
    if dialect is not None and dialect.name in names() and dialect == shipped(dialect.name):
        yield f"--ixy-dialect={dialect.name}"
    for rule, terms in manifest.rules.items():
        yield from (f"--ixy-set={rule}.{name}={value}" for name, value in terms.items())
