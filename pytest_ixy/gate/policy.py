"""What a gate asks for: `gate.toml`, and the same from options."""

from __future__ import annotations

import fnmatch
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from pytest_ixy import timespan
from pytest_ixy.hosttable import Time
from pytest_ixy.tomlfile import Table

LONGEST = 1000


Pattern = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def matches(pattern: str, text: str) -> bool:
    """Whether all of the text is as the pattern says: `*` is any text, `?` any sign, all else itself."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


class Leave(Table):
    """Results that may be other than passed: a pattern alone, or a table.

    Attributes:
        id: Pattern of ids.
        reason: Why; it is told.
        until: The last day (UTC) on which it counts.
    """

    id: Pattern
    reason: Annotated[str, Field(max_length=300)] = ""
    until: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: object) -> object:
        return {"id": data} if isinstance(data, str) else data

    def over(self, today: date) -> bool:
        """Whether its last day has passed."""
        return self.until is not None and today > self.until


class Policy(Table):
    """The whole of `gate.toml`.

    Attributes:
        require: Patterns of ids. Each has to match a result at least, and all that match have to pass.
        flaky: What may fail if its retry passed, or if it passed in another of the reports.
        inconclusive: What may be inconclusive.
        allow: What may fail or be inconclusive; it is told.
        max_age: How old a result may be; its age is that of its run's start.
        about: Properties that a report must have to count, name to pattern: the build that it is about.
    """

    require: list[Pattern] = Field(default_factory=list)
    flaky: list[Leave] = Field(default_factory=list)
    inconclusive: list[Leave] = Field(default_factory=list)
    allow: list[Leave] = Field(default_factory=list)
    max_age: Time | None = None
    about: dict[Pattern, Pattern] = Field(default_factory=dict)

    @property
    def age(self) -> timedelta | None:
        """`max_age` as a stretch of time."""
        return timespan.parse(self.max_age) if self.max_age else None

    def and_also(self, more: Policy) -> Policy:
        """Both together; where only one can count, it is that of `more`."""
        return Policy(
            require=[*self.require, *more.require],
            flaky=[*self.flaky, *more.flaky],
            inconclusive=[*self.inconclusive, *more.inconclusive],
            allow=[*self.allow, *more.allow],
            max_age=more.max_age or self.max_age,
            about={**self.about, **more.about},
        )
