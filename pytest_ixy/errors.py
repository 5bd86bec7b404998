"""What can go wrong, and whose fault it is.

The three kinds of error are the three outcomes that a user tells apart:

* `UsageError`: the question was wrong. Nothing was provisioned; pytest exits with 4.
* `LabError`: the lab could not tell. The first cause is reported once as ERROR.
* `TargetError`: the target is wrong. A test that depends on it FAILS.
"""

from __future__ import annotations


class IxyError(Exception):
    """An error that a user can cause or mend: shown as its text, without a traceback.

    Args:
        what: One or more sentences that name what happened and where.
        hint: What to do next; empty when there is nothing better to say than `what`.
    """

    kind = "error"

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  what to do: {self.hint}" if self.hint else self.what


class UsageError(IxyError):
    """The question was wrong: a bad option, an unknown key, no such repository or commit."""

    kind = "usage error"


class NotHereError(UsageError):
    """A test asks for what is not to be had here: it is skipped."""


class NotRecordedError(NotHereError):
    """A replay was asked for what only a lab has."""


class NotOfferedError(NotHereError):
    """A provider was asked for what it cannot do."""


class LabError(IxyError):
    """The lab could not tell: no SSH, no image, a lost node, a full disk."""

    kind = "lab error"


class TargetError(IxyError):
    """The target is wrong: it does not build, or a program of it does not do its part."""

    kind = "target error"
