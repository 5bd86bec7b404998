"""One program of the target beside references: whether it is the one at fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ixy.cast import REFERENCE, ROLES, TARGET, Cast
from pytest_ixy.course import Course
from pytest_ixy.errors import LabError, NotRecordedError
from pytest_ixy.rules import judge

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle
    from pytest_ixy.origin import Origin
    from pytest_ixy.rules import Finding

BACK = "-back"
"""How the name of a part ends in which fwd has its NICs the other way round."""
REFERENCES = "references"
"""The part that is none: nothing but references."""


@dataclass(frozen=True)
class Tried:
    """A trial of one part: of `pktgen`, `fwd`, `fwd-back`, `pcap` or `references`."""

    part: str
    bundle: Bundle
    failing: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same for reports, as JSON."""
        rules = [finding.rule for finding in self.failing]
        return {"part": self.part, "failing": rules, "bundle": str(self.bundle.path)}

    @property
    def words(self) -> str:
        """What failed, in words."""
        rules = ", ".join(finding.rule for finding in self.failing)
        head = f"{role_of(self.part)} is at fault: beside references it fails {rules}"
        parts = [f"\n{one.rule}: {one.title}\n{one.message}" for one in self.failing]
        return "\n".join([head, *parts, f"\nbundle: {self.bundle.path}"])


def role_of(part: str) -> str:
    """The role whose program that part is."""
    return part.removesuffix(BACK)


def plays(origin: Origin, role: str) -> bool:
    """Whether the target plays that role, as far as is known: a replay shows what was played."""
    try:
        return origin.cast[role] == TARGET
    except NotRecordedError:
        return True


def players(part: str | None = None) -> Cast:
    """The target plays that part's role, or none; references play the others."""
    return {role: TARGET if part and role == role_of(part) else REFERENCE for role in ROLES}


class Bench:
    """A testbed on which parts are tried, as long as it is shown to be sound.

    What the target did there before may have broken it: a driver can write over its machine's memory. Then
    new machines are made, once.

    Attributes:
        doubt: The latest trial of references in which something failed; None while there is none.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._renewed = False
        self._trusted: bool | None = None
        self._guilty: set[str] = set()
        self.doubt: Tried | None = None

    def attempt(self, part: str) -> Tried:
        """A trial of that part, on machines that are not to blame for what fails.

        Raises:
            LabError: they are, or a trial could not be run.
        """
        if self._trusted is None:
            self._prove()
        found = self._run(part)
        if found.failing and self._doubtful(part) and self._prove():
            found = self._run(part)
        if found.failing:
            self._trusted = False
            self._guilty.add(role_of(part))
        return found

    def _doubtful(self, part: str) -> bool:
        """Whether another program may have damaged the machines on which this one fails."""
        return not self._trusted and role_of(part) not in self._guilty

    def _prove(self) -> bool:
        """Have references show that the machines are sound; True when that took new ones."""
        try:
            self._run_references()
        except LabError as error:
            if self._renewed:
                raise
            self._renew(error)
            self._run_references()
            return True
        return False

    def _run_references(self) -> None:
        found = self._run(REFERENCES)
        self.doubt = found if found.failing else None
        self._trusted = not found.failing
        if found.failing:
            words = "; ".join(f"{finding.rule}: {finding.title}" for finding in found.failing)
            raise LabError(
                "A trial of nothing but references fails, so no program of the target can be blamed: "
                f"{words}.",
                hint=f"see {found.bundle.path}",
            )

    def _renew(self, error: LabError) -> None:
        self._renewed = True
        try:
            self._origin.renew()
        except LabError as second:
            raise LabError(f"{error.what} {second.what}", hint=second.hint) from second

    def _run(self, part: str) -> Tried:
        course = Course(swapped=part.endswith(BACK))
        bundle = self._origin.run_trial(players=players(part), course=course)
        failing = tuple(finding for finding in judge(bundle) if finding.failed)
        return Tried(part, bundle, failing)
