"""The catalogue of broken variants: `catalogue.toml` and the patches beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pytest_ixy import tomlfile
from pytest_ixy.rules import rules

FOLDER = Path(__file__).parent
ROLES = ("pktgen", "fwd", "pcap")
Role = Literal["pktgen", "fwd", "pcap"]
Mode = Literal["legacy", "modern"]
Tests = Annotated[tuple[str, ...], Field(strict=False)]


@cache
def known_tests() -> frozenset[str]:
    """The short names of scenario `forward`'s tests, such as `role-fwd` and `capture-count`."""
    captures = {f"capture-{rule}" for rule in rules()}
    return frozenset({f"{test}-{role}" for test in ("build", "role") for role in ROLES} | captures)


class Variant(tomlfile.Table):
    """One bug. See the head of `catalogue.toml`."""

    name: str
    summary: str
    role: Role
    effect: str
    mode: Literal["legacy", "modern", "both"] = "legacy"
    packets: Annotated[int, Field(ge=1000)] = 20_000
    patch: str
    must_fail: Tests = ()
    must_report: Tests = ()
    may_fail: Tests = ()
    detectable: bool = True
    reason: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Variant:
        if not self.name.startswith(f"{self.role}-"):
            raise ValueError("should have a name that starts with its role")
        expected = bool(self.must_fail or self.must_report)
        if self.detectable != expected or self.detectable == bool(self.reason):
            raise ValueError(
                "should have 'must_fail' or 'must_report', or 'detectable = false' and a 'reason'"
            )
        if wrong := {*self.must_fail, *self.must_report, *self.may_fail} - known_tests():
            raise ValueError(f"names tests that there are not: {', '.join(sorted(wrong))}")
        return self

    @property
    def modes(self) -> tuple[Mode, ...]:
        """What it is tried in."""
        return ("legacy", "modern") if self.mode == "both" else (self.mode,)

    @property
    def patch_file(self) -> Path:
        """The bug as a unified diff."""
        return FOLDER / f"{self.patch}.patch"


class _File(tomlfile.Table):
    dialect: str
    groups: dict[str, Tests]
    variants: dict[str, Variant]

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, data: Any) -> Any:
        variants = {
            name: _grouped({"name": name, "patch": name, **table}, data["groups"])
            for name, table in data["variants"].items()
        }
        return {**data, "variants": variants}


def _grouped(table: dict[str, Any], groups: dict[str, list[str]]) -> dict[str, Any]:
    """The same with the members in place of each "@group"."""
    for key in ("must_fail", "must_report", "may_fail"):
        members = [groups[name[1:]] if name.startswith("@") else [name] for name in table.get(key, ())]
        table[key] = [name for some in members for name in some]
    return table


@cache
def _file() -> _File:
    return tomlfile.read(FOLDER / "catalogue.toml").check(_File)


def variants() -> dict[str, Variant]:
    """All of them by name, in the file's order.

    Raises:
        UsageError: the file is not valid.
    """
    return _file().variants


def dialect() -> str:
    """The dialect of the example's packets."""
    return _file().dialect
