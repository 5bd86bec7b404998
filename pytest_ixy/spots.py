"""The spot on a node where a role was run: its folder, variables and command line, for who comes later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pytest_ixy import paths


@dataclass(frozen=True)
class Spot:
    """Where a role was run, or could be.

    Attributes:
        folder: On the node; relative to the user's home.
        command: The role's command line.
        environment: The role's variables.
    """

    folder: str
    command: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def note(run: str, role: str, spot: Spot) -> None:
    """Write down where the role of that run was run last."""
    file = _file(paths.scratch_folder(run), role)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(spot)), encoding="utf-8")


def find(scratch: Path, role: str) -> Spot:
    """Where the role was run last; the user's home when it never was."""
    try:
        return Spot(**json.loads(_file(scratch, role).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):  # or of another version
        return Spot(folder=".")


def _file(scratch: Path, role: str) -> Path:
    return scratch / "spots" / f"{role}.json"
