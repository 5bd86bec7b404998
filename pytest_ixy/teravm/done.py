"""What a step has to say when it went well; when it did not, it raises LabError or TargetError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Done:
    """Attributes: see `pytest_ixy.ng40.records.Step`."""

    title: str
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    message: str = ""
    notes: tuple[str, ...] = ()
