"""How a role fared, in one word and a few: for the colours of the pictures, not for the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_ixy.bundle import Build, Manifest
from pytest_ixy.cases import KILLED
from pytest_ixy.report.text import duration, line
from pytest_ixy.rules import judge_run
from pytest_ixy.topology import FWD, PCAP, PKTGEN

FLOW = (PKTGEN, FWD, PCAP)
"""The order in which packets pass the roles."""


@dataclass(frozen=True)
class State:
    """`kind` picks the colour, `words` say what happened."""

    kind: Literal["good", "bad", "unknown"]
    words: str


def in_flow_order(names: list[str]) -> list[str]:
    """Names in the order in which packets pass them; those of other scenarios follow as they came."""
    return [name for name in FLOW if name in names] + [name for name in names if name not in FLOW]


def others(manifest: Manifest) -> list[tuple[str, str]]:
    """Roles that no program of the target played, and who played them."""
    played = ((role, line(run.player, 120)) for role, run in manifest.roles.items())
    return [(line(role, 40), player) for role, player in played if player != "target"]


def models(manifest: Manifest) -> list[str]:
    """Models of the test NICs, as far as they are on record."""
    found = {nic.model for node in manifest.nodes for nic in node.nics if nic.model}
    return sorted(line(model, 80) for model in found)


def state(manifest: Manifest, role: str) -> State:
    """How the role built and ran."""
    build, run = manifest.builds.get(role), manifest.roles.get(role)
    if build is not None and not build.ok:
        return State("bad", _build_failure(build))
    if run is None:
        return State("unknown", "did not run")
    if role == PCAP and manifest.capture.timed_out:
        return State("bad", f"not done after {duration(manifest.capture.deadline)}")
    if role == PCAP and timed(manifest) and run.stopped_by in {"INT", "TERM"}:
        return State("good", f"ended when told to stop ({run.stopped_by})")
    if role == FWD and run.killed and manifest.course is not None and manifest.course.name == KILLED:
        return State("good", "was killed, as the case wants it")
    found = judge_run(role, run)
    return State("bad" if found.failed else "good", line(found.title.removeprefix(f"{role} ")))


def timed(manifest: Manifest) -> bool:
    """True for a trial that ends by time: then pcap need not end by itself."""
    return manifest.course is not None and manifest.course.seconds is not None


def _build_failure(build: Build) -> str:
    step = next(step for step in build.steps if not step.exit.ok or step.timed_out)
    how = "timed out" if step.timed_out else f"exit {step.exit.status}"
    return f"build failed: {line(step.command, 40)}: {how}"
