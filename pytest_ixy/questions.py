"""What the scenarios soak, localise, lifecycle and frames ask of a session, each a fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_ixy.fixtures import once, settle

if TYPE_CHECKING:
    from pytest_ixy.alone import Bench
    from pytest_ixy.bundle import Bundle
    from pytest_ixy.cast import Cast
    from pytest_ixy.course import Course
    from pytest_ixy.rules import Finding
    from pytest_ixy.subjects import Subject


@pytest.fixture
def ixy_soak(request: pytest.FixtureRequest, ixy_bundle: Bundle) -> Callable[[str], Finding]:
    """Call it with a question of `pytest_ixy.soak`: the test fails when something changed over time."""
    from pytest_ixy import soak

    def check(question: str) -> Finding:
        finding = soak.judge(ixy_bundle, question)
        if finding.outcome == "skipped":
            pytest.skip(finding.title)
        settle(request, finding, ixy_bundle)
        return finding

    return check


@pytest.fixture(scope="session")
def ixy_bench(ixy_subject: Subject, ixy_trial: Callable[..., Bundle]) -> Bench:
    """The testbed as parts are tried on it, each among references: `ixy_bench.attempt("fwd")`."""
    from pytest_ixy.alone import Bench

    return Bench(ixy_subject.origin)


@pytest.fixture
def ixy_alone(
    request: pytest.FixtureRequest, ixy_subject: Subject, ixy_bench: Bench
) -> Callable[[str], None]:
    """Call it with a part: the test fails when the target's program for it fails beside references.

    A part is a role, or `fwd-back`. It is an ERROR when references fail without the target, too.
    """
    from pytest_ixy import alone
    from pytest_ixy.cast import TARGET
    from pytest_ixy.outcomes import ALONE

    def attempt(part: str) -> alone.Tried:
        try:
            return once(request, ixy_subject, "ixy_bench", lambda: ixy_bench.attempt(part))
        finally:
            if ixy_bench.doubt is not None:
                request.node.stash[ALONE] = ixy_bench.doubt.as_dict()

    def check(part: str) -> None:
        role = alone.role_of(part)
        if ixy_subject.origin.cast[role] != TARGET:
            pytest.skip(f"{role} is not played by a program of the target")
        tried = attempt(part)
        request.node.stash[ALONE] = tried.as_dict()
        if tried.failing:
            pytest.fail(tried.words, pytrace=False)

    return check


@pytest.fixture
def ixy_lifecycle(
    request: pytest.FixtureRequest, ixy_subject: Subject, ixy_trial: Callable[..., Bundle]
) -> Callable[[str], Finding]:
    """Call it with a case of scenario lifecycle: the test fails unless the target stands it."""
    from pytest_ixy import lifecycle

    origin, settings = ixy_subject.origin, ixy_subject.settings

    def run(packets: int, who: Cast | None, course: Course) -> Bundle:
        return ixy_trial(packets=packets, players=who, course=course)

    def check(case: str) -> Finding:
        who = None
        if settings.replay is None:
            if cause := lifecycle.pointless(case, origin.cast):
                pytest.skip(cause)
            who = lifecycle.players(case, origin.cast)
        bundle = lifecycle.attempt(case, settings.packets, settings.idle, who, run)
        finding = lifecycle.judged(bundle)
        settle(request, finding, bundle)
        return finding

    return check


@pytest.fixture
def ixy_frames(
    request: pytest.FixtureRequest, ixy_subject: Subject, ixy_trial: Callable[..., Bundle]
) -> Callable[[str], None]:
    """Call it with a class of frames: the test fails when the target's fwd does not pass these."""
    from pytest_ixy import alone, passage
    from pytest_ixy.outcomes import FINDING

    def check(name: str) -> None:
        if not alone.plays(ixy_subject.origin, "fwd"):
            pytest.skip("the target has no program for fwd")
        bundle, found = passage.passes(name, ixy_trial)
        request.node.stash[FINDING] = found.as_dict()
        if found.failed:
            pytest.fail(passage.explain(bundle, found), pytrace=False)

    return check
