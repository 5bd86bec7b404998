"""What a record of a TeraVM lab proves: one row for each shape that a run can have."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_ixy.errors import UsageError
from pytest_ixy.ng40 import folder, judge, names
from pytest_ixy.ng40.records import CaseRecord, Expected, LabRecord, ListRecord, Loss, Step

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
STEPS = ("lease", "tag", "upgrade-agw", "upgrade-feg1", "health-agw", "health-feg1", "idle")
DEAD = (Loss(direction="DL", between="AS_PktTx-S1uPktRx", packets=185, percent=100.0),)
LOSSY = (Loss(direction="UL", between="a-b", packets=3, percent=2.5),)


def done(name, outcome="passed", title="well", **more):
    return Step(name=name, outcome=outcome, title=title, started=NOW, seconds=1.0, **more)


def ran(*cases, end="finished", verdict="PASS", **more):
    return ListRecord(
        name="basic", file="basic.ntl", end=end, verdict=verdict, cases=cases, log="lists/basic.log",
        started=NOW, seconds=9.0, status=0, **more,
    )  # fmt: skip


def case(name, verdict="PASS", **more):
    return CaseRecord(name=name, verdict=verdict, planned=True, **more)


def record(*lists, steps=STEPS, expected=(), source="config", **more):
    return LabRecord(
        lab="lab", run="r", tag="latest", asked=(*STEPS, "list-basic"), started=NOW, lists=lists,
        steps=tuple(step if isinstance(step, Step) else done(step) for step in steps),
        expected={"basic": Expected(cases=expected, source=source)}, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (case("A"), "passed", "verdict PASS"),
        (case("A", "FAIL"), "failed", "verdict FAIL"),
        (case("A", "INCONC"), "inconclusive", "verdict INCONC"),
        (case("A", "INCONCLUSIVE"), "inconclusive", "verdict INCONCLUSIVE"),
        (case("A", "ERROR"), "error", "verdict ERROR"),
        (case("A", None), "error", "planned, but never judged"),
        (case("A", "FAIL", again="PASS"), "failed", "PASS when it was run once more, alone"),
        (case("A", "PASS", losses=DEAD), "passed", "beside 100 % loss (DL)"),
        (case("A", "PASS", verdicts=("FAIL", "PASS")), "passed", "(of FAIL, PASS)"),
    ],
)
def test_a_case_is_what_the_tester_says(said, outcome, words):
    verdict = judge.of_case(record(ran(said), expected=("A",)), "basic", "A")
    assert (verdict.rule, verdict.outcome) == ("basic/A", outcome)
    assert words in verdict.title


def test_an_inconclusive_case_can_be_let_through():
    judged = judge.of_case(record(ran(case("A", "INCONC")), inconclusive="report"), "basic", "A")
    assert judged.outcome == "reported"


@pytest.mark.parametrize(
    ("more", "outcome"),
    [({}, "passed"), ({"strict": True}, "error"), ({"strict": True, "source": "/an/older/bundle"}, "passed")],
)
def test_a_case_that_nobody_expected_counts_by_what_was_said_of_the_list(more, outcome):
    verdict = judge.of_case(record(ran(case("B"), case("A")), expected=("A",), **more), "basic", "B")
    assert verdict.outcome == outcome
    assert ("expected" in verdict.title) == (more.get("source") is None)


def test_a_case_that_never_came_up_is_an_error_that_names_who_expected_it():
    found = ran(case("A"))
    assert "expected by config.toml" in judge.of_case(record(found, expected=("A", "B")), "basic", "B").title
    older = judge.of_case(record(found, expected=("A", "B"), source="/old"), "basic", "B")
    assert (older.outcome, "the bundle /old" in older.title) == ("error", True)
    cut = ran(case("A"), end="silence", words="nothing was printed for 30 s", verdict=None)
    verdict = judge.of_case(record(cut, expected=("A", "B")), "basic", "B")
    assert (verdict.outcome, verdict.title) == ("error", "never judged: nothing was printed for 30 s")


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (ran(case("A"), case("B", "FAIL"), verdict="FAIL"), "passed", "2 cases: 1 failed, 1 passed"),
        (ran(case("A"), verdict="FAIL"), "failed", "the list's verdict is FAIL, though all its cases passed"),
        (ran(case("A"), verdict="INCONC"), "inconclusive", "verdict is INCONC, though all its cases passed"),
        (ran(case("A"), verdict="ABORTED"), "error", "verdict is ABORTED, though all its cases passed"),
        (ran(case("A", None)), "error", "without a single verdict"),
        (ran(), "error", "without a single verdict"),
        (ran(case("A"), verdict=None), "error", "without a verdict on the list"),
        (ran(case("A"), end="list-timeout", words="it took longer than 4 h"), "error", "longer than 4 h"),
    ],
)
def test_a_list_has_to_end_and_to_prove_something(found, outcome, words):
    verdict = judge.of_list(record(found), "basic")
    assert verdict.outcome == outcome
    assert words in verdict.title


def test_once_a_step_went_wrong_all_after_it_is_skipped_with_that_cause():
    broken = record(steps=("lease", "tag", done("upgrade-agw", "failed", "it does not install")))
    assert judge.of_step(broken, "tag").outcome == "passed"
    assert judge.of_step(broken, "upgrade-agw").outcome == "failed"
    cause = "not done: upgrade-agw failed: it does not install"
    for verdict in (
        judge.of_step(broken, "idle"), judge.of_list(broken, "basic"), judge.of_case(broken, "basic", "A")
    ):  # fmt: skip
        assert (verdict.outcome, verdict.title) == ("skipped", cause)


def test_what_a_run_that_was_cut_off_never_came_to_is_an_error():
    killed = record(steps=STEPS[:-1])
    for verdict in (judge.of_step(killed, "idle"), judge.of_list(killed, "basic")):
        assert (verdict.outcome, verdict.title) == ("error", "the run ended before it")
    assert judge.of_case(killed, "basic", "A").title == "not run: the run ended before it"


def test_a_list_that_could_not_be_run_is_an_error_and_the_cause_for_its_cases():
    lost = record(steps=(*STEPS, done("list-basic", "error", "the tester is busy")))
    assert judge.of_list(lost, "basic").outcome == "error"
    verdict = judge.of_case(lost, "basic", "A")
    assert (verdict.outcome, verdict.title) == ("skipped", "not run: the tester is busy")


def test_the_user_plane_is_looked_at_beside_the_verdict():
    silent = record(ran(case("A", losses=DEAD), case("B", losses=LOSSY)))
    verdict = judge.user_plane(silent)
    assert (verdict.outcome, dict(verdict.numbers)["all lost"]) == ("reported", 1)
    assert "basic/A" in verdict.message
    assert judge.user_plane(silent.model_copy(update={"user_plane": "fail"})).outcome == "failed"
    assert judge.user_plane(record(ran(case("B", losses=LOSSY)))).outcome == "passed"
    assert judge.user_plane(record(ran(case("A", "FAIL", losses=DEAD)))).outcome == "skipped"


def test_lines_that_could_not_be_read_are_reported():
    assert judge.output(record()).outcome == "skipped"
    assert judge.output(record(ran(case("A")))).outcome == "passed"
    assert judge.output(record(ran(case("A"), flaws=("line 3: cut",)))).outcome == "reported"


def test_the_newest_bundle_of_the_lab_tells_what_a_list_holds(tmp_path):
    for run, cases, lab in (("1", ("A",), "lab"), ("2", ("A", "B"), "lab"), ("3", ("C",), "other")):
        found = record(ran(*map(case, cases))).model_copy(update={"lab": lab})
        folder.write(tmp_path / f"{run}-teravm-{lab}-x", found)
    folder.write(tmp_path / "4-teravm-lab-x", record())
    (tmp_path / "5-teravm-lab-x").mkdir()
    (tmp_path / "5-teravm-lab-x" / folder.RECORD).write_text("{")
    known = names.of_bundles(tmp_path, "lab", "basic")
    assert known == Expected(cases=("A", "B"), source=str(tmp_path / "2-teravm-lab-x"))
    assert names.of_bundles(tmp_path, "lab", "other") == Expected()
    assert names.of_bundles(tmp_path / "nowhere", "lab", "basic") == Expected()


def test_a_list_that_was_cut_off_hides_no_case_that_is_known_from_before(tmp_path):
    cut, whole = ran(case("A"), end="silence", verdict=None), ran(case("A"), case("B"))
    for run, found in (("1", cut), ("2", whole), ("3", cut)):
        folder.write(tmp_path / f"{run}-teravm-lab-x", record(found))
        expected = ("A",) if run == "1" else ("A", "B")
        assert names.of_bundles(tmp_path, "lab", "basic").cases == expected


def test_a_case_whose_verdict_was_cut_off_is_a_test_although_nobody_knew_it():
    cut = CaseRecord(name="B")
    assert names.strangers(record(ran(case("A"), cut), expected=("A",)), "basic") == ("B",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lab": "../x"}, "not fit for a test id"),
        ({"lists": (ran(case("A")).model_copy(update={"log": "../../etc/passwd"}),)}, "not in the bundle"),
        ({"lists": (ran(case("A", files=("/etc/passwd",))),)}, "not in the bundle"),
    ],
)
def test_a_record_that_no_lab_would_have_written_is_refused(change, words, tmp_path):
    folder.write(tmp_path, record().model_copy(update=change))
    with pytest.raises(UsageError, match=words):
        folder.load(tmp_path)


def test_what_is_no_record_is_refused_with_the_place(tmp_path):
    with pytest.raises(UsageError, match=r"is no bundle of scenario teravm: No such file"):
        folder.load(tmp_path)
    (tmp_path / folder.RECORD).write_text('{"format": 1, "scenario": "teravm", "lab": 3}')
    with pytest.raises(UsageError, match=r"teravm.json: 'lab' "):
        folder.load(tmp_path)
