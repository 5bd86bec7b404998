"""pytest-xdist: the controller owns the testbeds, workers use one at a time.

A worker cannot own machines: execnet gives it five seconds to end. So the controller provisions when a
worker comes to the first test of a target, and takes down when it has left. All tests of a target go to
one worker, as they share a trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from pytest_ixy import errors, spec
from pytest_ixy.absent import Absent
from pytest_ixy.bundle import Phase, TargetRecord
from pytest_ixy.errors import IxyError
from pytest_ixy.keeping import Keeping
from pytest_ixy.lab import Lab
from pytest_ixy.letting.landlord import Landlord
from pytest_ixy.letting.tenant import Tenant
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import Settings
from pytest_ixy.subjects import Subject, Subjects, label_in
from pytest_ixy.target import Target

if TYPE_CHECKING:
    from pytest_ixy.live import Live
    from pytest_ixy.owning import Owned

KEY = "ixy"


def distributes(config: pytest.Config) -> bool:
    """Whether this process has workers to run the tests."""
    asked = getattr(config.option, "dist", "no") != "no" and getattr(config.option, "tx", None)
    return bool(asked) and not config.option.collectonly


def workers(settings: Settings) -> int:
    """How many workers can have a testbed at once."""
    count, there = len(settings.each), room(settings)
    return count if there is None else min(count, there)


def room(settings: Settings) -> int | None:
    """How many testbeds there can be at once; at least one, which tells why when it cannot be."""
    count = registry.load(settings.provider).capacity(settings)
    return count if count is None else max(1, count)


class Together:
    """Sends all tests of a target to one worker, so that what they share is made once."""

    def __init__(self, labels: list[str]) -> None:
        self._labels = labels

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the tests of a target together."""
        return _ByTarget(config, log, self._labels)


class Controller(Together):
    """Lets workers have the testbeds that the process which starts them owns."""

    def __init__(self, owned: Sequence[Owned], room: int | None, say: Callable[[str], None]) -> None:
        origins = {one.origin.label: one for one in owned if one.origin is not None}
        super().__init__(list(origins))
        self._landlord = Landlord(origins, room, say)
        self._handed = {
            "address": self._landlord.address,
            "subjects": [_packed_subject(one) for one in owned],
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker what it needs."""
        node.workerinput[KEY] = self._handed

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self) -> None:
        """Let workers that wait for a testbed know that they wait in vain."""
        self._landlord.dismiss()

    def close(self) -> None:
        """Take down what is let, or hold it."""
        self._landlord.close()


class _ByTarget(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that have a target's label in their id are one unit; others go as --dist says."""

    def __init__(self, config: pytest.Config, log: Any, labels: list[str]) -> None:
        super().__init__(config, log)
        self._labels = labels
        self._dist = config.getoption("dist")

    def _split_scope(self, nodeid: str) -> str:
        if label := label_in(nodeid, self._labels):
            return f"[{label}"
        if self._dist == "loadfile":
            return nodeid.split("::", 1)[0]
        return str(super()._split_scope(nodeid)) if self._dist == "loadscope" else nodeid


def _packed_subject(one: Owned) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "run": one.folder.name,
        "scratch": str(one.owner.workspace.scratch),
        "phases": [phase.model_dump(mode="json") for phase in one.phases],
    }
    if isinstance(one.origin, Lab):
        lab = one.origin
        guests = {role: _packed(guest) for role, guest in lab.guests.items()}
        return {**packed, "target": _packed(lab.target), "guests": guests}
    if one.origin is not None:
        cause = one.origin.cause
        kind = type(cause).__name__
        packed["absent"] = {"label": one.origin.label, "kind": kind, "what": cause.what, "hint": cause.hint}
    return packed


def _packed(target: Target) -> dict[str, Any]:
    return {"record": target.record.model_dump(), "folder": str(target.folder), "diff": target.diff}


def _unpacked(data: dict[str, Any]) -> Target:
    record, folder = TargetRecord(**data["record"]), Path(data["folder"])
    return Target(record, spec.read(folder, record.label), folder, data["diff"])


def adopt(config: Any, settings: Settings, live: Live) -> Subjects:
    """In a worker: what is tested comes from the controller, and so do testbeds."""
    handed, keeper = config.workerinput[KEY], Keeping()
    config.pluginmanager.register(keeper, "ixy-keeping")
    several = len(settings.each) > 1
    if several:
        live.calm()
    worker = _Worker(handed["address"], config.workerinput["workerid"], keeper, live, several=several)
    pairs = zip(settings.each, handed["subjects"], strict=True)
    subjects = Subjects([worker.subject(each, data) for each, data in pairs])
    config.add_cleanup(subjects.finish)
    return subjects


class _Worker:
    """Makes subjects of what was handed over."""

    def __init__(self, address: str, name: str, keeper: Keeping, live: Live, *, several: bool) -> None:
        self._address, self._name, self._keeper, self._live = address, name, keeper, live
        self._several = several

    def subject(self, settings: Settings, data: dict[str, Any]) -> Subject:
        """A subject whose testbed is the controller's."""
        if absent := data.get("absent"):
            return Subject(settings, _absent(settings, data["run"], absent))
        target = _unpacked(data["target"])
        label = target.record.label
        progress = Progress(self._live.show, self._live.say, label if self._several else "")
        progress.phases += [Phase(**phase) for phase in data["phases"]]
        tenant = Tenant(self._address, label, progress)
        lab = Lab(
            settings=settings,
            target=target,
            guests={role: _unpacked(guest) for role, guest in data["guests"].items()},
            folder=settings.artifacts / data["run"],
            scratch=Path(data["scratch"]) / self._name,
            provider=registry.load(settings.provider),
            provision=tenant.testbed,
            renew=tenant.renew,
            progress=progress,
        )

        def finish() -> None:
            lab.close()
            tenant.leave(failed=self._keeper.failed(label))

        return Subject(settings, lab, finish)


def _absent(settings: Settings, run: str, data: dict[str, str]) -> Absent:
    kind: type[IxyError] = getattr(errors, data["kind"])
    return Absent(data["label"], settings.artifacts / run, kind(data["what"], hint=data["hint"]))
