"""Whether the target's fwd, between references, passes frames of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy import alone
from pytest_ixy.course import Course
from pytest_ixy.errors import LabError, NotRecordedError
from pytest_ixy.frames import judge
from pytest_ixy.programs import tail
from pytest_ixy.rules import judge_run
from pytest_ixy.rules.words import plain
from pytest_ixy.topology import FWD, PCAP, PKTGEN
from pytest_ixy.traffic.classes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ixy.bundle import Bundle
    from pytest_ixy.rules import Finding

PATIENCE = 10.0
"""Seconds after the last frame should have been sent, for machines that are emulated."""


def passes(name: str, trial: Callable[..., Bundle]) -> tuple[Bundle, Finding]:
    """Run a trial with frames of that class and judge what arrived; its bundle and what is found.

    Args:
        name: Of the class.
        trial: Runs one, as the fixture `ixy_trial` does.

    Raises:
        LabError: references cannot send, pass or receive those frames, so nothing is known of the target.
    """
    bundle = _run(name, trial, FWD)
    found = judge(bundle)
    if found.failed:
        _check_lab(name, trial)
    return bundle, found


def explain(bundle: Bundle, found: Finding) -> str:
    """What is found, and how fwd ended where that is a fault too."""
    run = bundle.manifest.roles.get(FWD)
    ended = judge_run(FWD, run) if run else None
    parts = [found.title, f"fwd: {ended.title}" if ended and ended.failed else "", found.message]
    return "\n".join([*filter(None, parts), f"bundle: {bundle.path}"])


def _run(name: str, trial: Callable[..., Bundle], role: str | None) -> Bundle:
    traffic = CLASSES[name]()
    label = f"frames {name}" if role else f"frames {name}, references alone"
    course = Course(name=label, traffic=traffic, seconds=traffic.seconds + PATIENCE)
    bundle = trial(packets=len(traffic.frames), players=alone.players(role), course=course)
    _check_sent(bundle, len(traffic.frames))
    return bundle


def _check_sent(bundle: Bundle, wanted: int) -> None:
    """Raise LabError when references have not done their part."""
    for role in (PKTGEN, PCAP):
        run = bundle.manifest.roles.get(role)
        if run and run.ended_itself and not run.exit.ok:
            words = plain(tail(bundle.inside(run.log), lines=3))
            raise LabError(f"The reference {role} failed: {words}", hint=f"see {bundle.path}")
    if (fwd := bundle.manifest.roles.get(FWD)) is None or fwd.ended_itself:
        return  # then the trial ends early
    counts = [nic.sent for node in bundle.manifest.nodes if node.name == PKTGEN for nic in node.nics]
    if counts and counts[0] is not None and counts[0] < wanted:
        words = f"The reference pktgen has sent {counts[0]:,} of {wanted:,} frames."
        raise LabError(words, hint=f"see {bundle.path}")


def _check_lab(name: str, trial: Callable[..., Bundle]) -> None:
    """Raise LabError when references lose such frames as well; a replay leaves that open."""
    try:
        bundle = _run(name, trial, None)
    except NotRecordedError:
        return
    if (found := judge(bundle)).failed:
        raise LabError(
            f"A trial of nothing but references fails too, so fwd cannot be blamed: {found.title}",
            hint=f"see {bundle.path}",
        )
