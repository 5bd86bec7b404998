"""What changed in a long trial, and when: pure functions of a bundle, a finding each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_ixy.change import FEWEST, Change, Point, growth, step
from pytest_ixy.overtime import COUNTS, clock, flows, losses, rates, since
from pytest_ixy.overtime import memory as memory_over_time
from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.words import one_line
from pytest_ixy.topology import FWD, PCAP, PKTGEN
from pytest_ixy.way import Flow, Way

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle
    from pytest_ixy.rules.finding import Number

ROLES = (PKTGEN, FWD, PCAP)
WARM = 0.1
"""Part of the time at the beginning that is left out: what is allocated and paced there changes."""
FALL = 0.5
"""A rate that fell to this part of what it was has changed; less may be this machine's other work."""
DEAD = 0.05
"""What is left of a rate when nothing comes any more, but what was under way."""
BEGUN, SWALLOWED, TOO_MUCH = 0.25, 0.05, 0.5
"""Shares: loss has begun when it is so much higher than before, before pcap (also when this
machine has other work) or in fwd, and from so much on it is too much from the start."""
LEAST_GROWTH, SHARE = 256, 0.05
"""KiB, and part of the whole, that memory may grow by."""


def judge(bundle: Bundle, question: str) -> Finding:
    """Answer one of `QUESTIONS`; KeyError for another one."""
    ask, role = QUESTIONS[question]
    return ask(f"soak-{question}", role, bundle)


def rate(name: str, role: str, bundle: Bundle) -> Finding:
    """Packets per second that reach a role did not fall for good."""
    moments = flows(bundle)
    if nothing := _nothing(name, bundle, moments):
        return nothing
    points = _warm(rates(moments, lambda flow: flow.arrived))
    change, mean = _fall(points), _mean(points)
    numbers: dict[str, Number] = {"rate": round(mean, 1)}
    if change is None:
        return passed(name, f"about {mean:,.0f} packets/s reached {role}", numbers)
    after, before = f"{change.after:,.0f} packets/s reached {role}", f"{change.before:,.0f}"
    return _changed(name, bundle, moments, change, numbers, f"{after}, before {before}")


def loss(name: str, role: str, bundle: Bundle) -> Finding:
    """The share of pktgen's packets that do not reach a role did not rise, nor what fwd swallows."""
    moments = flows(bundle)
    if nothing := _nothing(name, bundle, moments):
        return nothing
    all_of_it = losses(moments, lambda flow: flow.sent, lambda flow: flow.arrived)
    swallowed = losses(moments, lambda flow: flow.entered, lambda flow: flow.left)
    for points, begun, where in ((swallowed, SWALLOWED, "in fwd"), (all_of_it, BEGUN, f"before {role}")):
        change = step(_warm(points))
        if change is not None and change.after > change.before + begun:
            words = f"{change.after:.2%} were lost {where}, until then {max(0, change.before):.2%}"
            return _changed(name, bundle, moments, change, {"ratio": round(change.after, 6)}, words)
    return _even_loss(name, role, moments)


def _even_loss(name: str, role: str, moments: list[Flow]) -> Finding:
    ratio = 1 - (moments[-1].arrived - moments[0].arrived) / max(1, moments[-1].sent - moments[0].sent)
    title, numbers = f"{max(0, ratio):.2%} were lost before {role}", {"ratio": round(ratio, 6)}
    if ratio > TOO_MUCH:
        words = f"{title}, from the start on"
        return failed(name, words, numbers, _witnesses(moments, moments[0].seconds))
    return passed(name, f"{title}, and it did not get worse", numbers)


def _fall(points: list[Point]) -> Change | None:
    """The rate fell for a good part of the time, or to nothing at all, however late."""
    late, change = step(points, least=0.0), step(points)
    if late is not None and late.after < DEAD * late.before:
        return late
    return change if change is not None and change.after < FALL * change.before else None


def _changed(  # noqa: PLR0913, PLR0917
    name: str, bundle: Bundle, moments: list[Flow], change: Change, numbers: dict[str, Number], words: str
) -> Finding:
    began = {"began": round(since(bundle, change.seconds), 1)}
    title = f"from {clock(bundle, change.seconds)} on {words}"
    return failed(name, title, {**numbers, **began}, _witnesses(moments, change.seconds))


def memory(name: str, role: str, bundle: Bundle) -> Finding:
    """A role's memory does not grow steadily."""
    points = _warm(memory_over_time(bundle, role))
    if len(points) < FEWEST:
        return skipped(name, f"{role}'s memory was not watched for long enough")
    found, most = growth(points), max(value for _, value in points)
    numbers: dict[str, Number] = {"most_kib": most}
    if found is None or found.amount < max(LEAST_GROWTH, SHARE * found.before):
        return passed(name, f"{role} had {most / 1024:,.1f} MiB at most, and did not grow steadily", numbers)
    numbers |= {"began": round(since(bundle, found.seconds), 1), "growth_kib": round(found.amount)}
    amount = f"by {found.amount / 1024:,.1f} MiB from {found.before / 1024:,.1f} MiB"
    title = f"from {clock(bundle, found.seconds)} on the memory of {role} grew steadily, {amount}"
    return failed(name, title, numbers)


def alive(name: str, role: str, bundle: Bundle) -> Finding:
    """A role works until it is told to stop."""
    run = bundle.manifest.roles.get(role)
    if run is None:
        return skipped(name, f"{role} was never started")
    if not run.ended_itself:
        return passed(name, f"{role} worked until it was told to stop", {})
    how = one_line(run.exit.signal or f"status {run.exit.status}")
    title = f"{role} ended by itself at {clock(bundle, run.ended or 0.0)}, with {how}"
    return failed(name, title, {}, [f"its last words: {one_line(run.tail[-300:])}"])


QUESTIONS: dict[str, tuple[Callable[[str, str, Bundle], Finding], str]] = {
    "rate": (rate, PCAP),
    "loss": (loss, PCAP),
    **{f"alive-{role}": (alive, role) for role in ROLES},
    **{f"memory-{role}": (memory, role) for role in ROLES},
}
"""By name: who answers, and about which role."""


def _nothing(name: str, bundle: Bundle, moments: list[Flow]) -> Finding | None:
    """A finding where there is no traffic to judge, or not enough of it; None where there is."""
    way = Way.of(bundle)
    if way is None or way.waited is None:
        return skipped(name, "nothing was counted over time")
    if not moments or not moments[-1].arrived:
        return failed(name, "no packet reached pcap", {}, _witnesses(moments, 0.0))
    if len(_warm(rates(moments, lambda flow: flow.sent))) < FEWEST:
        return skipped(name, "the trial was too short")
    return None


def _warm(points: list[Point]) -> list[Point]:
    """Without the beginning."""
    if not points:
        return []
    begin = points[0][0] + WARM * (points[-1][0] - points[0][0])
    return [point for point in points if point[0] >= begin]


def _mean(points: list[Point]) -> float:
    return sum(value for _, value in points) / len(points)


def _witnesses(moments: list[Flow], moment: float) -> list[str]:
    """What each NIC counted before and after, which tells where it began."""
    lines = ["packets per second before and after:"]
    for name, count in COUNTS.items():
        points = rates(moments, count)
        sides = (
            [value for at, value in points if at < moment],
            [value for at, value in points if at >= moment],
        )
        before, after = (f"{sum(side) / len(side):,.0f}" if side else "-" for side in sides)
        lines.append(f"  {name}: {before}, {after}")
    return lines
