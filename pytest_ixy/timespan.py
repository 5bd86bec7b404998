"""Stretches of time and moments, as people write them."""

from __future__ import annotations

import re
import time
from datetime import timedelta

from pytest_ixy.errors import UsageError

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
FORM = re.compile("".join(f"(?:([0-9]{{1,6}}){unit})?" for unit in UNITS))
LEAST, MOST = timedelta(seconds=1), timedelta(days=7)


def parse(text: str) -> timedelta:
    """A stretch of time such as `45s`, `30m`, `1h30m` or `2d`.

    Raises:
        UsageError: it is not of this form, or not from a second to a week.
    """
    found = FORM.fullmatch(text.strip().lower())
    numbers = found.groups() if found else ()
    span = timedelta(
        **{name: int(number) for name, number in zip(UNITS.values(), numbers, strict=False) if number}
    )
    if not LEAST <= span <= MOST:
        raise UsageError(
            f"{text[:40]!r} is no time from a second to a week.", hint="write it as 45s, 30m, 1h30m or 2d"
        )
    return span


def clock(moment: float) -> str:
    """A moment (seconds since 1970) as the user's clock shows it, with the day if it is not today's."""
    when, now = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if when[:3] == now[:3] else "%Y-%m-%d %H:%M", when)
