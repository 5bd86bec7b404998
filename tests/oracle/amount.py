"""How many random examples a property gets: the same few each time, or with a variable set many new ones.

HYPOTHESIS_PROFILE is `thorough` for that, or `brief` for a tenth of the few (`mutants.py --brief`).
"""

from __future__ import annotations

import os

from hypothesis import settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE")
THOROUGH = PROFILE == "thorough"
TIMES = {"thorough": 20, "brief": 0.1}


def examples(few: int) -> settings:
    """That many, always the same; with a profile `TIMES` as many, with the thorough one different ones."""
    return settings(
        max_examples=int(few * TIMES.get(PROFILE or "", 1)),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
    )
