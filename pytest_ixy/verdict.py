"""What all rules together say about one capture, for whoever judges without pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_ixy.bundle import Bundle
from pytest_ixy.rules import Evidence, Finding, Rule, pick
from pytest_ixy.rules.words import count, one_line


@dataclass(frozen=True)
class Problem:
    """Why a capture cannot be judged: a word for machines, and a sentence for people."""

    kind: str
    words: str


@dataclass(frozen=True)
class Verdict:
    """What the rules say.

    Attributes:
        capture: What was judged, as the user named it.
        findings: One for each rule that was asked, in order; none where there is nothing but a
            capture of which not a single frame could be read.
        problem: Why it cannot be judged as a whole, None when it can. The findings then hold for
            what could be read.
    """

    capture: str
    findings: tuple[Finding, ...] = ()
    problem: Problem | None = None

    @property
    def word(self) -> Literal["passed", "failed", "unjudgeable"]:
        """The verdict in a word."""
        if self.problem is not None:
            return "unjudgeable"
        return "failed" if any(finding.failed for finding in self.findings) else "passed"

    def as_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        kept = ("rule", "outcome", "title", "numbers")
        findings = [finding.as_dict() for finding in self.findings]
        problem = self.problem and {"kind": self.problem.kind, "title": self.problem.words}
        return {
            "capture": self.capture,
            "verdict": self.word,
            "problem": problem,
            "findings": [{name: finding[name] for name in kept} for finding in findings],
        }


def give(bundle: Bundle, capture: str, rules: Sequence[Rule] | None = None) -> Verdict:
    """Ask about a bundle or a capture alone, which the user named `capture`.

    Args:
        bundle: What is to be judged.
        capture: Its name.
        rules: Those that are asked; None for what the trial's scenario asks, by default all rules.

    Raises:
        UsageError: what the scenario asks for is not in the bundle.
    """
    if rules is None and (ask := ASKED.get(bundle.manifest.scenario)):
        findings = tuple(ask(bundle))
        return Verdict(capture, findings, _silence(findings))
    return _by_rules(bundle, capture, pick() if rules is None else rules)


def _by_rules(bundle: Bundle, capture: str, rules: Sequence[Rule]) -> Verdict:
    evidence = Evidence(bundle)
    problem = _problem(evidence)
    if problem and bundle.alone and not evidence.observed.frames:
        return Verdict(capture, problem=problem)
    findings = tuple(rule.judge(evidence) for rule in rules)
    return Verdict(capture, findings, problem or _silence(findings))


def _lifecycle(bundle: Bundle) -> Iterator[Finding]:
    from pytest_ixy.lifecycle import judged

    yield judged(bundle)


def _frames(bundle: Bundle) -> Iterator[Finding]:
    from pytest_ixy.frames import judge

    yield judge(bundle)


def _soak(bundle: Bundle) -> Iterator[Finding]:
    from pytest_ixy.soak import QUESTIONS, judge

    yield from (judge(bundle, question) for question in QUESTIONS)


ASKED: dict[str, Callable[[Bundle], Iterator[Finding]]] = {
    "lifecycle": _lifecycle,
    "frames": _frames,
    "soak": _soak,
}
"""Scenarios of which the trials go another way than rules expect, and what is asked there."""


def _problem(evidence: Evidence) -> Problem | None:
    observed = evidence.observed
    if observed.flaw is not None:
        return Problem(observed.flaw.kind.value, one_line(str(observed.flaw)))
    if not observed.frames:
        return Problem("empty", "the capture holds no frame")
    if observed.shortened:
        frames = f"{count(observed.shortened, 'frame')} of {observed.frames:,}"
        return Problem("cut by the snap length", f"the snap length cut {frames}")
    return None


def _silence(findings: Sequence[Finding]) -> Problem | None:
    """A verdict that no rule has given would be a pass that proves nothing."""
    if any(finding.outcome != "skipped" for finding in findings):
        return None
    return Problem("not judged", "none of the rules that were asked could be judged")
