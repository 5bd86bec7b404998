"""Waiting until all that should be up is up, and stays so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_ixy.errors import LabError, TargetError
from pytest_ixy.providers.static.line import spell
from pytest_ixy.remote import Host
from pytest_ixy.rules.words import count

PAUSE = 2.0
"""Seconds between two looks."""
STEADY = 6.0
"""Seconds for which all has to be up without having been started anew, to count."""


@dataclass(frozen=True)
class Part:
    """One thing as one look shows it.

    Attributes:
        name: What it is.
        up: Whether it is as it should be.
        state: How it is, in a few words.
        mark: Changes when it is started anew.
        ours: False where it is the lab's fault when it is not as it should be.
    """

    name: str
    up: bool
    state: str
    mark: str = ""
    ours: bool = True


@dataclass
class _Course:
    """What was seen of one thing: how it is since when, and how often it was started anew."""

    part: Part
    since: float
    starts: int = 0

    def see(self, part: Part, now: float) -> None:
        anew = part.mark != self.part.mark or (part.up and not self.part.up)
        self.starts += anew
        if anew or (part.up, part.state) != (self.part.up, self.part.state):
            self.since = now
        self.part = part

    def words(self, now: float) -> str:
        often = f", started anew {count(self.starts, 'time')} meanwhile" if self.starts else ""
        return f"{self.part.name}: {self.part.state} for {spell(now - self.since)}{often}"


@dataclass
class Vigil:
    """What many looks have shown."""

    courses: dict[str, _Course] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def see(self, parts: Sequence[Part], now: float) -> None:
        """Take one look."""
        for part in parts:
            if part.name in self.courses:
                self.courses[part.name].see(part, now)
        seen = {part.name: self.courses.get(part.name) or _Course(part, now) for part in parts}
        self.courses = seen

    def steady(self, now: float) -> bool:
        """Whether all has been up for long enough."""
        courses = self.courses.values()
        return bool(courses) and all(one.part.up and now - one.since >= STEADY for one in courses)

    @property
    def wanting(self) -> list[_Course]:
        """What is not up; where all is up, what has been so for too short a time."""
        down = [one for one in self.courses.values() if not one.part.up]
        return down or [one for one in self.courses.values() if one.starts]

    def brief(self) -> str:
        """For the live line."""
        names = [one.part.name for one in self.wanting]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"waiting for {names[0]}{more}" if names else "all up, watching"


@dataclass(frozen=True)
class Watch:
    """Looks until all is up and stays so.

    Attributes:
        host: Where; for messages, and to know whether it is lost.
        span: Seconds until all has to be up.
        look: Shows all parts; a LabError of it counts when the host is lost, or when the time is over.
        tell: Told what is waited for.
        says: The last words of a part that is not up.
    """

    host: Host
    span: float
    look: Callable[[], Sequence[Part]]
    tell: Callable[[str], None]
    says: Callable[[str], str] = lambda _name: ""

    def keep(self) -> float:
        """The seconds that it took.

        Raises:
            TargetError: a part is not up when the time is over.
            LabError: the host is lost, cannot tell, or only what is not the build's is amiss.
        """
        vigil = Vigil()
        while True:
            trouble = self._see(vigil)
            now = time.monotonic()
            if trouble is None and vigil.steady(now):
                return now - vigil.begun
            left = vigil.begun + self.span - now
            if left <= 0:
                raise trouble or self._overdue(vigil, now)
            self.tell(vigil.brief())
            time.sleep(min(PAUSE, left))

    def _see(self, vigil: Vigil) -> LabError | None:
        try:
            parts = self.look()
        except LabError as error:
            if self.host.lost:
                raise
            return error
        vigil.see(parts, time.monotonic())
        return None

    def _overdue(self, vigil: Vigil, now: float) -> TargetError | LabError:
        wanting = vigil.wanting
        lines = [one.words(now) for one in wanting]
        if not wanting:
            lines = [f"all is up, but not yet for {STEADY:.0f} s"]
        for one in wanting[:3]:
            said = self.says(one.part.name)
            lines += [f"last words of {one.part.name}:", said] if said else []
        kind = TargetError if any(one.part.ours for one in wanting) else LabError
        text = "\n".join(lines)
        return kind(f"node {self.host.name}: not all is well after {spell(self.span)}.\n{text}")
