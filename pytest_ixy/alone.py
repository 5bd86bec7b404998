"""One program of the target beside references: whether it is the one at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.cast import REFERENCE, ROLES, TARGET, Cast
from pytest_ixy.errors import LabError
from pytest_ixy.rules import judge

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle
    from pytest_ixy.rules import Finding

__all__ = ["TARGET", "fault", "players", "proven"]


def players(role: str | None = None) -> Cast:
    """The target plays that role, or none; references play the others."""
    return {one: TARGET if one == role else REFERENCE for one in ROLES}


def proven(bundle: Bundle) -> Bundle:
    """The bundle of a trial of references, in which nothing may fail.

    Raises:
        LabError: something did.
    """
    if failing := _failing(bundle):
        words = "; ".join(f"{finding.rule}: {finding.title}" for finding in failing)
        raise LabError(
            f"A trial of nothing but references fails, so no program of the target can be blamed: {words}.",
            hint=f"see {bundle.path}",
        )
    return bundle


def fault(role: str, bundle: Bundle) -> str:
    """What that role of the target broke beside references, in words; empty when nothing failed."""
    failing = _failing(bundle)
    if not failing:
        return ""
    head = f"{role} is at fault: beside references it fails {', '.join(one.rule for one in failing)}"
    parts = [f"\n{one.rule}: {one.title}\n{one.message}" for one in failing]
    return "\n".join([head, *parts, f"\nbundle: {bundle.path}"])


def _failing(bundle: Bundle) -> list[Finding]:
    return [finding for finding in judge(bundle) if finding.failed]
