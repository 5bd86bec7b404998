"""The fixtures: all that a scenario needs, and all that the shipped ones use.

They are session-scoped and lazy: what no selected test asks for is not provisioned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from pytest_ixy.alone import Bench
    from pytest_ixy.bundle import Build, Bundle, Run
    from pytest_ixy.cast import Cast
    from pytest_ixy.course import Course
    from pytest_ixy.origin import Origin, Tested
    from pytest_ixy.providers.base import Testbed
    from pytest_ixy.rules import Finding

T = TypeVar("T")


def _origin(request: pytest.FixtureRequest) -> Origin:
    if not request.config.pluginmanager.hasplugin("ixy-outcomes"):
        pytest.skip(
            "needs a repository to test: pytest --ixy-repo=URL|OWNER/NAME|FOLDER, or --ixy-replay=BUNDLE"
        )
    from pytest_ixy.session import ORIGIN

    return request.config.stash[ORIGIN]


def _once(request: pytest.FixtureRequest, fixture: str, work: Callable[[], T]) -> T:
    """Do the work; when it fails, the tests after this one are skipped with that cause."""
    from pytest_ixy.errors import IxyError, LabError, NotHereError
    from pytest_ixy.session import OUTCOMES

    try:
        return work()
    except NotHereError:
        raise
    except OSError as error:
        request.config.stash[OUTCOMES].failed(fixture, f"lab error: {error}")
        raise LabError(f"This machine would not: {error}.", hint="run pytest-ixy doctor") from error
    except Exception as error:
        kind = error.kind if isinstance(error, IxyError) else type(error).__name__
        request.config.stash[OUTCOMES].failed(fixture, f"{kind}: {getattr(error, 'what', error)}")
        raise


@pytest.fixture(scope="session")
def ixy_target(request: pytest.FixtureRequest) -> Tested:
    """The repository under test at its commit: `record` (name, commit, dirty), `spec` (its ixy-ci.toml)."""
    return _origin(request).target


@pytest.fixture(scope="session")
def ixy_lab(request: pytest.FixtureRequest, ixy_target: Tested) -> None:
    """Everything that builds and trials need, provisioned at first use; nothing in a replay."""
    _once(request, "ixy_lab", _origin(request).prepare)


@pytest.fixture(scope="session")
def ixy_testbed(request: pytest.FixtureRequest, ixy_lab: None) -> Testbed:
    """Three machines on two networks: `nodes`, `accesses` (SSH), `record`. None in a replay: a skip."""
    return _origin(request).testbed


class BuildResults:
    """How the target's build went on each node; `results[role]` is a `pytest_ixy.bundle.Build`."""

    def __init__(self, origin: Origin) -> None:
        self._folder = origin.folder
        self.results: dict[str, Build] = origin.builds()

    def __getitem__(self, role: str) -> Build:
        return self.results[role]

    def check(self, role: str) -> None:
        """Fail the test, with the last lines of the log, when the target is not built on that node."""
        from pytest_ixy.build import explain
        from pytest_ixy.programs import tail
        from pytest_ixy.rules.words import plain

        if role not in self.results:
            pytest.skip(f"no build on the node of {role} is on record")
        made = self.results[role]
        if made.ok:
            return
        log = self._folder / made.log
        last = plain(tail(log, lines=40)) if log.is_file() else ""
        pytest.fail(f"{plain(explain(made))}\n\n{last}\n\nlog: {log}", pytrace=False)


@pytest.fixture(scope="session")
def ixy_build(request: pytest.FixtureRequest, ixy_lab: None) -> BuildResults:
    """The target, sent to every node and built there; `ixy_build.check(role)` fails if it was not."""
    origin = _origin(request)
    return _once(request, "ixy_build", lambda: BuildResults(origin))


@pytest.fixture(scope="session")
def ixy_trial(request: pytest.FixtureRequest, ixy_build: BuildResults) -> Callable[..., Bundle]:
    """Call it to run a trial on the testbed: `ixy_trial(packets=1000)`; returns its `Bundle`.

    `players`, such as `{"pktgen": "reference", "fwd": "target", "pcap": "reference"}`, says who plays;
    `course`, a `pytest_ixy.course.Course`, how it goes where it is not the usual way.
    In a replay the call skips the test.
    """
    origin = _origin(request)
    from pytest_ixy.build import first_failure
    from pytest_ixy.course import USUAL
    from pytest_ixy.errors import TargetError

    def ready() -> Callable[..., Bundle]:
        if failure := first_failure(ixy_build.results):
            raise TargetError(f"not run: {failure}")
        return run

    def run(packets: int | None = None, players: Cast | None = None, course: Course | None = None) -> Bundle:
        return _once(request, "ixy_trial", lambda: origin.run_trial(packets, players, course or USUAL))

    return _once(request, "ixy_trial", ready)


@pytest.fixture(scope="session")
def ixy_bundle(request: pytest.FixtureRequest, ixy_trial: Callable[..., Bundle]) -> Bundle:
    """The bundle of one trial with the packets that were asked for: manifest, capture, logs."""
    return _once(request, "ixy_trial", _origin(request).bundle)


@pytest.fixture(scope="session")
def ixy_evidence(ixy_bundle: Bundle) -> Any:
    """What rules judge: the bundle, with its capture read once for all of them."""
    from pytest_ixy.rules import Evidence

    return Evidence(ixy_bundle)


@pytest.fixture
def ixy_judge(request: pytest.FixtureRequest, ixy_evidence: Any) -> Callable[[str], Finding]:
    """Call it with a rule's name: the test fails, is skipped or passes as the rule finds."""
    from pytest_ixy.rules import pick

    def judge(name: str) -> Finding:
        (rule,) = pick([name])
        finding = rule.judge(ixy_evidence)
        _settle(request, finding, ixy_evidence.bundle)
        return finding

    return judge


@pytest.fixture
def ixy_soak(request: pytest.FixtureRequest, ixy_bundle: Bundle) -> Callable[[str], Finding]:
    """Call it with a question of `pytest_ixy.soak`: the test fails when something changed over time."""
    from pytest_ixy import soak

    def check(question: str) -> Finding:
        finding = soak.judge(ixy_bundle, question)
        if finding.outcome == "skipped":
            pytest.skip(finding.title)
        _settle(request, finding, ixy_bundle)
        return finding

    return check


def _settle(request: pytest.FixtureRequest, finding: Finding, bundle: Bundle) -> None:
    from pytest_ixy.outcomes import FINDING

    request.node.stash[FINDING] = finding.as_dict()
    if finding.outcome == "reported":
        request.node.user_properties.append(("ixy.reported", finding.title))
    if finding.outcome == "skipped":
        _fail_if_nothing_is_proven(request, finding, bundle)
        pytest.skip(finding.title)
    if finding.outcome == "failed":
        kind = "capture" if bundle.alone else "bundle"
        pytest.fail(f"{finding.title}\n{finding.message}\n{kind}: {bundle.path}", pytrace=False)


PROOFS = ("complete", "sent")
"""Rules without which a trial proves nothing."""


def _fail_if_nothing_is_proven(request: pytest.FixtureRequest, finding: Finding, bundle: Bundle) -> None:
    """Fail in place of a proof that fails too, unless that has a test of its own in this session."""
    from pytest_ixy.rules import judge

    specs = [getattr(item, "callspec", None) for item in request.session.items]
    asked = {spec.params.get("rule") for spec in specs if spec}
    missing = [name for name in PROOFS if name not in asked and name != finding.rule]
    for proof in judge(bundle, missing):
        if proof.failed:
            pytest.fail(f"{finding.title}: {proof.title}\n{proof.message}", pytrace=False)


@pytest.fixture
def ixy_role(ixy_bundle: Bundle) -> Callable[[str], Run]:
    """Call it with a role's name: the test fails unless that role did its part in the trial."""

    def check(role: str) -> Run:
        from pytest_ixy.rules import judge_run

        if not ixy_bundle.manifest.roles:
            pytest.skip(f"nothing is on record of {role}")
        if role not in ixy_bundle.manifest.roles:
            pytest.skip(f"{role} was never started, because a role before it had ended")
        run = ixy_bundle.manifest.roles[role]
        finding = judge_run(role, run)
        if finding.failed:
            pytest.fail(
                f"{finding.title}\n{finding.message}\nlog: {ixy_bundle.path / run.log}", pytrace=False
            )
        return run

    return check


@pytest.fixture(scope="session")
def ixy_bench(request: pytest.FixtureRequest, ixy_trial: Callable[..., Bundle]) -> Bench:
    """The testbed as parts are tried on it, each among references: `ixy_bench.attempt("fwd")`."""
    from pytest_ixy.alone import Bench

    return Bench(_origin(request))


@pytest.fixture
def ixy_alone(request: pytest.FixtureRequest, ixy_bench: Bench) -> Callable[[str], None]:
    """Call it with a part: the test fails when the target's program for it fails beside references.

    A part is a role, or `fwd-back`. It is an ERROR when references fail without the target, too.
    """
    from pytest_ixy import alone
    from pytest_ixy.cast import TARGET
    from pytest_ixy.outcomes import ALONE

    def attempt(part: str) -> alone.Tried:
        try:
            return _once(request, "ixy_bench", lambda: ixy_bench.attempt(part))
        finally:
            if ixy_bench.doubt is not None:
                request.node.stash[ALONE] = ixy_bench.doubt.as_dict()

    def check(part: str) -> None:
        role = alone.role_of(part)
        if _origin(request).cast[role] != TARGET:
            pytest.skip(f"{role} is not played by a program of the target")
        tried = attempt(part)
        request.node.stash[ALONE] = tried.as_dict()
        if tried.failing:
            pytest.fail(tried.words, pytrace=False)

    return check


@pytest.fixture
def ixy_lifecycle(
    request: pytest.FixtureRequest, ixy_trial: Callable[..., Bundle]
) -> Callable[[str], Finding]:
    """Call it with a case of scenario lifecycle: the test fails unless the target stands it."""
    from pytest_ixy import lifecycle
    from pytest_ixy.startup import settings_of

    origin, settings = _origin(request), settings_of(request.config)

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
        _settle(request, finding, bundle)
        return finding

    return check


@pytest.fixture
def ixy_frames(request: pytest.FixtureRequest, ixy_trial: Callable[..., Bundle]) -> Callable[[str], None]:
    """Call it with a class of frames: the test fails when the target's fwd does not pass these."""
    from pytest_ixy import alone, passage
    from pytest_ixy.outcomes import FINDING

    def check(name: str) -> None:
        if not alone.plays(_origin(request), "fwd"):
            pytest.skip("the target has no program for fwd")
        bundle, found = passage.passes(name, ixy_trial)
        request.node.stash[FINDING] = found.as_dict()
        if found.failed:
            pytest.fail(passage.explain(bundle, found), pytrace=False)

    return check
