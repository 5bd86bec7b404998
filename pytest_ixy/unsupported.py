"""`[unsupported]` of an `ixy-ci.toml`: tests that the target's driver is not made for, by scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from pytest_ixy import tomlfile
from pytest_ixy.cases import CASES
from pytest_ixy.traffic.classes import CLASSES

REASON = "declared unsupported in ixy-ci.toml"


class _Among:
    """Refuses words that are not among the known ones, and tells these."""

    def __init__(self, *known: str) -> None:
        self.known = known

    def __call__(self, text: str) -> str:
        if text not in self.known:
            raise ValueError(
                f"{text[:40]!r} is none of that scenario's tests{tomlfile.nearest(text, self.known)}"
            )
        return text


_Frames = Annotated[str, AfterValidator(_Among(*CLASSES))]
_Lifecycle = Annotated[str, AfterValidator(_Among(*CASES))]
_Localise = Annotated[str, AfterValidator(_Among("fwd-back"))]


class Unsupported(tomlfile.Table):
    """Parameters of tests, such as `frames = ["vlan"]`; one field for each scenario that has such tests."""

    frames: Annotated[tuple[_Frames, ...], Field(strict=False)] = ()
    lifecycle: Annotated[tuple[_Lifecycle, ...], Field(strict=False)] = ()
    localise: Annotated[tuple[_Localise, ...], Field(strict=False)] = ()

    @property
    def by_scenario(self) -> Mapping[str, tuple[str, ...]]:
        """The same as data, without scenarios that all is supported of."""
        return {name: found for name in type(self).model_fields if (found := getattr(self, name))}
