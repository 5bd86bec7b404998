"""How many random examples a property gets: the same few each time, or with a variable set many new ones."""

from __future__ import annotations

import os

from hypothesis import settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TIMES = 20


def examples(few: int) -> settings:
    """That many, always the same; `TIMES` as many and different ones with HYPOTHESIS_PROFILE=thorough."""
    return settings(
        max_examples=few * TIMES if THOROUGH else few,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
    )
