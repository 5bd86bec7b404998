"""The manifest of a bundle: all that is known about one trial."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from pytest_ixy.bundle.records import (
    Build,
    CaptureRecord,
    CourseRecord,
    NodeRecord,
    Phase,
    ProviderRecord,
    Run,
    TargetRecord,
)
from pytest_ixy.dialect import Dialect
from pytest_ixy.record import Record
from pytest_ixy.tomlfile import RuleTables


class Manifest(Record):
    """Everything that is known about one trial; see the attributes' own classes.

    `builds` are keyed by role, `roles` too; one that was started again is there as `fwd-2` as well.
    `packets` is N, the number asked for; None where nobody knows, which no bundle on disk may say (see
    `bare.py`). `dialect` is None where the target declared none. `rules` are the options of rules that were
    set for the trial, by rule and name. `course` is None where the trial went the usual way. `guests` are
    other repositories that played a role, by role. `series` are files with numbers over time, by what they
    hold (see `series.py`).
    `unsupported` are the parameters of tests, by scenario, that the target declares not to support. `options`
    are those that somebody gave and nothing else here tells, by name (see `Settings.told`).
    """

    format: int = 1
    run: str
    scenario: str
    packets: int | None
    started: datetime
    target: TargetRecord
    provider: ProviderRecord
    nodes: tuple[NodeRecord, ...]
    builds: dict[str, Build]
    roles: dict[str, Run]
    capture: CaptureRecord
    dialect: Dialect | None = None
    rules: RuleTables = Field(default_factory=dict)
    course: CourseRecord | None = None
    guests: dict[str, TargetRecord] = Field(default_factory=dict)
    series: dict[str, str] = Field(default_factory=dict)
    unsupported: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    options: dict[str, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
