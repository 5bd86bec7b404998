"""A command to run on a node, in the form that the supervisor reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_ixy.errors import UsageError
from pytest_ixy.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Order:
    """What to run. Nothing of it passes through a shell on its way to `bash -c`.

    Attributes:
        command: For `bash -c`.
        cwd: Folder on the node, relative to the user's home; None for the home itself.
        environment: Variables added to the node's own.
        root: Run it as root (with sudo when the user is another).
    """

    command: str
    cwd: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    root: bool = False

    def encode(self) -> bytes:
        """The order as NUL-separated fields: values need no quoting, however hostile they are.

        Raises:
            UsageError: a name is not one that a variable can have, or a NUL byte is in a value.
        """
        for name in self.environment:
            if not _NAME.fullmatch(name):
                raise UsageError(f"not the name of an environment variable: {name!r}")
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        fields = [self.cwd or "", self.command, *variables]
        if any("\0" in item for item in fields):
            raise UsageError(f"a NUL byte in a command, its folder or environment: {self.command[:80]!r}")
        return "".join(f"{item}\0" for item in [*fields, ""]).encode("utf-8", "surrogateescape")

    @property
    def title(self) -> str:
        """The command, short enough for a message."""
        line = one_line(" ".join(self.command.split()))
        return line if len(line) <= 60 else line[:57] + "..."  # noqa: PLR2004 - said by the docstring
