"""Numbers that a node says: it may say anything."""

from __future__ import annotations

import re

from pytest_ixy.errors import LabError
from pytest_ixy.printable import one_line

_DIGITS = re.compile(r"[0-9]{1,15}")


def read_number(word: str) -> int:
    """The whole number that `word` is.

    Raises:
        LabError: it is none, or one that nothing on a node can have.
    """
    if not _DIGITS.fullmatch(word):
        raise LabError(f"the node said {one_line(word[:40])!r} where a number belongs")
    return int(word)
