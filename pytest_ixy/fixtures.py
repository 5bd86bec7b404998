"""The fixtures that every scenario needs: target, testbed, build, trial, bundle, and its judgement.

They are session-scoped and lazy: what no selected test asks for is not provisioned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from pytest_ixy.bundle import Build, Bundle, Run
    from pytest_ixy.cast import Cast
    from pytest_ixy.course import Course
    from pytest_ixy.origin import Origin, Tested
    from pytest_ixy.providers.base import Testbed
    from pytest_ixy.rules import Finding
    from pytest_ixy.subjects import Subject

T = TypeVar("T")


@pytest.fixture(scope="session")
def ixy_subject(request: pytest.FixtureRequest) -> Subject:
    """What the test is about, one of those given by --ixy-repo: `label`, `settings`, `origin`."""
    if not request.config.pluginmanager.hasplugin("ixy-outcomes"):
        pytest.skip(
            "needs a repository to test: pytest --ixy-repo=URL|OWNER/NAME|FOLDER, or --ixy-replay=BUNDLE, "
            "or --ixy-scenario=teravm with a lab"
        )
    from pytest_ixy.session import SUBJECTS

    return request.config.stash[SUBJECTS].enter(getattr(request, "param", None))


def once(request: pytest.FixtureRequest, subject: Subject, fixture: str, work: Callable[[], T]) -> T:
    """Do the work; when it fails, the target's tests after this one are skipped with that cause."""
    from pytest_ixy.errors import IxyError, LabError, NotHereError
    from pytest_ixy.session import OUTCOMES

    outcomes = request.config.stash[OUTCOMES]
    try:
        return work()
    except NotHereError:
        raise
    except OSError as error:
        outcomes.failed(subject.label, fixture, f"lab error: {error}")
        raise LabError(f"This machine would not: {error}.", hint="run pytest-ixy doctor") from error
    except Exception as error:
        kind = error.kind if isinstance(error, IxyError) else type(error).__name__
        outcomes.failed(subject.label, fixture, f"{kind}: {getattr(error, 'what', error)}")
        raise


@pytest.fixture(scope="session")
def ixy_target(request: pytest.FixtureRequest, ixy_subject: Subject) -> Tested:
    """The repository under test at its commit: `record` (name, commit, dirty), `spec` (its ixy-ci.toml)."""
    return once(request, ixy_subject, "ixy_target", lambda: ixy_subject.origin.target)


@pytest.fixture(scope="session")
def ixy_lab(request: pytest.FixtureRequest, ixy_subject: Subject, ixy_target: Tested) -> None:
    """Everything that builds and trials need, provisioned at first use; nothing in a replay."""
    once(request, ixy_subject, "ixy_lab", ixy_subject.origin.prepare)


@pytest.fixture(scope="session")
def ixy_testbed(ixy_subject: Subject, ixy_lab: None) -> Testbed:
    """Three machines on two networks: `nodes`, `accesses` (SSH), `record`. None in a replay: a skip."""
    return ixy_subject.origin.testbed


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
def ixy_build(request: pytest.FixtureRequest, ixy_subject: Subject, ixy_lab: None) -> BuildResults:
    """The target, sent to every node and built there; `ixy_build.check(role)` fails if it was not."""
    return once(request, ixy_subject, "ixy_build", lambda: BuildResults(ixy_subject.origin))


@pytest.fixture(scope="session")
def ixy_trial(
    request: pytest.FixtureRequest, ixy_subject: Subject, ixy_build: BuildResults
) -> Callable[..., Bundle]:
    """Call it to run a trial on the testbed: `ixy_trial(packets=1000)`; returns its `Bundle`.

    `players`, such as `{"pktgen": "reference", "fwd": "target", "pcap": "reference"}`, says who plays;
    `course`, a `pytest_ixy.course.Course`, how it goes where it is not the usual way.
    In a replay the call skips the test.
    """
    from pytest_ixy.build import first_failure
    from pytest_ixy.course import USUAL
    from pytest_ixy.errors import TargetError

    def ready() -> Callable[..., Bundle]:
        if failure := first_failure(ixy_build.results):
            raise TargetError(f"not run: {failure}")
        return run

    def run(packets: int | None = None, players: Cast | None = None, course: Course | None = None) -> Bundle:
        asked = packets, players, course or USUAL
        return once(request, ixy_subject, "ixy_trial", lambda: ixy_subject.origin.run_trial(*asked))

    return once(request, ixy_subject, "ixy_trial", ready)


@pytest.fixture(scope="session")
def ixy_bundle(
    request: pytest.FixtureRequest, ixy_subject: Subject, ixy_trial: Callable[..., Bundle]
) -> Bundle:
    """The bundle of one trial with the packets that were asked for: manifest, capture, logs."""
    return once(request, ixy_subject, "ixy_trial", ixy_subject.origin.bundle)


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
        settle(request, finding, ixy_evidence.bundle)
        return finding

    return judge


def settle(request: pytest.FixtureRequest, finding: Finding, bundle: Bundle) -> None:
    """Fail or skip the test as the finding says, and keep that for the reports."""
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
    from pytest_ixy.subjects import label_of

    label = label_of(request.node)
    specs = [getattr(item, "callspec", None) for item in request.session.items if label_of(item) == label]
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
