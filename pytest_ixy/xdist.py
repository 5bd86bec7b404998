"""pytest-xdist: the controller owns the testbed, one worker uses it, the others do without.

A worker cannot own machines: execnet gives it five seconds to end. So the controller provisions
before it starts the first worker, hands over what is needed to reach the machines, and takes them
down when everything else is over. All tests of a target go to one worker, as they share a trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from pytest_ixy import spec
from pytest_ixy.bundle import Phase, TargetRecord
from pytest_ixy.errors import IxyError, LabError
from pytest_ixy.guests import Guests
from pytest_ixy.lab import Lab
from pytest_ixy.providers.base import Testbed
from pytest_ixy.target import Target

KEY = "ixy"


class Together:
    """Sends all tests of a target to one worker, so that what they share is made once."""

    def __init__(self, label: str) -> None:
        self._label = label

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the tests of a target together."""
        return _ByTarget(config, log, self._label)


class Controller(Together):
    """Hands the lab of the process that starts the workers to them."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.label)
        self._lab = lab
        self._handed: dict[str, Any] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker what it needs; the first one's turn provisions."""
        if self._handed is None:
            self._handed = hand_over(self._lab)
        node.workerinput[KEY] = self._handed


class _ByTarget(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that have the target's label in their id are one unit; others go as --dist says."""

    def __init__(self, config: pytest.Config, log: Any, label: str) -> None:
        super().__init__(config, log)
        self._mark = f"[{label}"
        self._dist = config.getoption("dist")

    def _split_scope(self, nodeid: str) -> str:
        if self._mark in nodeid:
            return self._mark
        if self._dist == "loadfile":
            return nodeid.split("::", 1)[0]
        return str(super()._split_scope(nodeid)) if self._dist == "loadscope" else nodeid


def hand_over(lab: Lab) -> dict[str, Any]:
    """The lab as JSON; when it cannot be provisioned, the reason instead of the testbed."""
    from pydantic import TypeAdapter

    handed: dict[str, Any] = {
        "run": lab.folder.name,
        "scratch": str(lab.scratch),
        "target": _packed(lab.target),
        "guests": {role: _packed(guest) for role, guest in lab.guests.items()},
    }
    if lab.declined:
        handed["failure"] = {"what": lab.declined, "hint": ""}
        return {**handed, "phases": []}
    try:
        handed["testbed"] = TypeAdapter(Testbed).dump_python(lab.testbed, mode="json")
    except IxyError as error:
        handed["failure"] = {"what": error.what, "hint": error.hint}
    except OSError as error:
        handed["failure"] = {"what": f"This machine would not: {error}.", "hint": "run pytest-ixy doctor"}
    handed["phases"] = [phase.model_dump(mode="json") for phase in lab.progress.phases]
    return handed


def _packed(target: Target) -> dict[str, Any]:
    return {"record": target.record.model_dump(), "folder": str(target.folder), "diff": target.diff}


def _unpacked(data: dict[str, Any]) -> Target:
    record, folder = TargetRecord(**data["record"]), Path(data["folder"])
    return Target(record, spec.read(folder, record.label), folder, data["diff"])


@dataclass(frozen=True)
class Received:
    """What a worker was given; `testbed()` raises the controller's LabError if there is none."""

    run: str
    scratch: str
    target: Target
    guests: Guests
    _data: dict[str, Any]

    @property
    def phases(self) -> list[Phase]:
        """What the controller has done and how long it took."""
        return [Phase(**phase) for phase in self._data["phases"]]

    def testbed(self) -> Testbed:
        """How to reach the machines that the controller holds."""
        from pydantic import TypeAdapter

        if failure := self._data.get("failure"):
            raise LabError(failure["what"], hint=failure["hint"])
        return TypeAdapter(Testbed).validate_python(self._data["testbed"])


def received(config: Any) -> Received:
    """Read what the controller handed over."""
    data = config.workerinput[KEY]
    visitors = {role: _unpacked(guest) for role, guest in data["guests"].items()}
    return Received(data["run"], data["scratch"], _unpacked(data["target"]), visitors, data)
