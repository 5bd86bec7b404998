"""Whether the gate is open: a policy, what came of each test, and the time now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pytest_ixy.errors import UsageError
from pytest_ixy.gate.policy import Leave, Policy, matches
from pytest_ixy.gate.results import FINE, Result, worst

SKEW = timedelta(minutes=5)
"""How far the clock of who wrote a report may be ahead of ours."""

_WHY = {
    "failed": "it failed",
    "inconclusive": "the tester came to no verdict",
    "error": "the lab could not tell",
    "skipped": "it was skipped",
}


@dataclass(frozen=True)
class Point:
    """One thing that counts.

    Attributes:
        id: The test's, or the pattern that nothing matches.
        state: An outcome, `missing`, `old`, or `flaky` and `allowed` for what policy lets pass.
        closes: Whether it closes the gate.
        why: A line; empty where the state says all.
        result: What is spoken of; None for what is missing.
    """

    id: str
    state: str
    closes: bool
    why: str = ""
    result: Result | None = None


@dataclass(frozen=True)
class Decision:
    """Attributes: points: all that is required, in the order of the policy's patterns."""

    points: tuple[Point, ...]

    @property
    def opens(self) -> bool:
        """Whether nothing closes the gate."""
        return not any(point.closes for point in self.points)


def decide(policy: Policy, results: Iterable[Result], now: datetime) -> Decision:
    """Decide by the newest result of each test; older ones are evidence that it is flaky.

    Raises:
        UsageError: nobody can tell which result is newer, or how old one is.
    """
    about = [result for result in results if _is_about(policy, result)]
    _check_times(about, now, aged=policy.age is not None)
    runs = _runs(about)
    points: dict[str, Point] = {}
    for pattern in policy.require:
        found = [name for name in runs if matches(pattern, name)]
        if not found:
            points[pattern] = Point(pattern, "missing", True, _missing(policy))
        for name in found:
            points.setdefault(name, _point(policy, runs[name], now))
    return Decision(tuple(points.values()))


def _is_about(policy: Policy, result: Result) -> bool:
    about = result.suite.about
    return all(name in about and matches(pattern, about[name]) for name, pattern in policy.about.items())


def _missing(policy: Policy) -> str:
    wanted = " and ".join(f"{name} = {pattern}" for name, pattern in policy.about.items())
    return "no report has a result" + (f" about {wanted}" if wanted else "")


def _check_times(results: list[Result], now: datetime, *, aged: bool) -> None:
    several = len({(result.suite.report, result.suite.when) for result in results}) > 1
    for suite in {id(result.suite): result.suite for result in results}.values():
        if suite.when is None and (aged or several):
            why = "how old its results are" if aged else "which report is the newest"
            raise UsageError(f"{suite.report}: no timestamp with a time zone, so nobody can tell {why}.")
        if suite.when is not None and (aged or several) and suite.when > now + SKEW:
            raise UsageError(f"{suite.report}: its timestamp {suite.when:%Y-%m-%d %H:%M} UTC is yet to come.")


def _runs(results: list[Result]) -> dict[str, list[Result]]:
    """The results of each test, the newest first; of several at one time the worst."""
    at: dict[str, dict[datetime | None, Result]] = {}
    for result in results:
        times = at.setdefault(result.id, {})
        before = times.get(result.suite.when)
        if before is None or worst([before.outcome, result.outcome]) != before.outcome:
            times[result.suite.when] = result
    return {name: [times[when] for when in _newest_first(times)] for name, times in at.items()}


def _newest_first(times: Iterable[datetime | None]) -> list[datetime | None]:
    """Where one has no time, it is the only one: `_check_times` has seen to that."""
    return sorted(times, key=lambda when: when.timestamp() if when else 0.0, reverse=True)


def _point(policy: Policy, runs: list[Result], now: datetime) -> Point:
    newest = runs[0]
    young = [run for run in runs if not _too_old(policy, run, now)]
    if newest not in young:
        return Point(newest.id, "old", True, f"{newest.outcome}, but older than {policy.max_age}", newest)
    if newest.outcome in FINE:
        return Point(newest.id, newest.outcome, False, "", newest)
    return _excused(policy, young, now) or _closing(policy, newest, now)


def _too_old(policy: Policy, run: Result, now: datetime) -> bool:
    return policy.age is not None and run.suite.when is not None and run.suite.when < now - policy.age


def _excused(policy: Policy, runs: list[Result], now: datetime) -> Point | None:
    """What policy says in favour of the newest of these runs, if anything."""
    newest, what = runs[0], _WHY[runs[0].outcome]
    if newest.outcome not in ("failed", "inconclusive"):
        return None
    if (leave := _leave(policy.flaky, newest, now)) and (seen := _seen_to_pass(runs)):
        return Point(newest.id, "flaky", False, f"{what}, but {seen}{_reason(leave)}", newest)
    if newest.outcome == "inconclusive" and (leave := _leave(policy.inconclusive, newest, now)):
        return Point(newest.id, "inconclusive", False, f"{what}, as it may{_reason(leave)}", newest)
    if leave := _leave(policy.allow, newest, now):
        return Point(newest.id, "allowed", False, f"{what}, as it may{_reason(leave)}", newest)
    return None


def _seen_to_pass(runs: list[Result]) -> str:
    if runs[0].passed_again:
        return "passed when it was run once more"
    reports = [run.suite.report for run in runs[1:] if run.outcome in FINE]
    return f"passed in {reports[0]}" if reports else ""


def _closing(policy: Policy, newest: Result, now: datetime) -> Point:
    why = _WHY[newest.outcome]
    leaves = [leave for leave in _all(policy) if matches(leave.id, newest.id)]
    if over := [leave.until for leave in leaves if leave.over(now.date())]:
        why += f"; its leave ended on {max(day for day in over if day)}"
    elif any(leave in policy.flaky for leave in leaves):
        why += "; it may be flaky, but is not seen to pass in any run"
    return Point(newest.id, newest.outcome, True, why, newest)


def _all(policy: Policy) -> list[Leave]:
    return [*policy.flaky, *policy.inconclusive, *policy.allow]


def _leave(leaves: list[Leave], result: Result, now: datetime) -> Leave | None:
    today = now.date()
    return next((one for one in leaves if matches(one.id, result.id) and not one.over(today)), None)


def _reason(leave: Leave) -> str:
    """` (issue 12; until 2026-12-01)`."""
    words = [leave.reason] if leave.reason else []
    words += [f"until {leave.until}"] if leave.until else []
    return f" ({'; '.join(words)})" if words else ""
