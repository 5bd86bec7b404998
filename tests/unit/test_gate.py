"""The gate: which results open it, which close it, what is said, and as which status."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junit_reports import NOW, case, suite

from pytest_ixy import cli
from pytest_ixy.errors import UsageError
from pytest_ixy.gate import junit
from pytest_ixy.gate.decision import decide
from pytest_ixy.gate.policy import Policy, matches

DAY = timedelta(days=1)


@pytest.fixture
def asked(tmp_path):
    """Ask the gate about reports, the points by id."""

    def ask(reports, **policy):
        results = []
        for number, text in enumerate(reports):
            path = tmp_path / f"{number}.xml"
            path.write_text(text)
            results += junit.read(path)
        return decide(Policy(**{"require": ["*"], **policy}), results, NOW)

    return ask


def states(decision):
    return {point.id: (point.state, point.closes) for point in decision.points}


@pytest.mark.parametrize(
    ("outcome", "closes"),
    [
        ("passed", False),
        ("reported", False),
        ("failed", True),
        ("inconclusive", True),
        ("skipped", True),
        ("error", True),
    ],
)
def test_what_is_required_has_to_pass(asked, outcome, closes):
    decision = asked([suite(case("a", outcome), case("b", "passed"))])
    assert states(decision) == {"a": (outcome, closes), "b": ("passed", False)}
    assert decision.opens is not closes


def test_an_error_is_told_apart_from_a_failure(asked):
    decision = asked([suite(case("a", "error"), case("b", "failed"))])
    assert [point.why for point in decision.points] == ["the lab could not tell", "it failed"]


def test_each_pattern_has_to_match_something(asked):
    decision = asked([suite(case("teravm/a/1", "passed"))], require=["teravm/a/*", "teravm/b/*"])
    assert states(decision) == {"teravm/a/1": ("passed", False), "teravm/b/*": ("missing", True)}


def test_what_is_not_required_does_not_count(asked):
    assert asked([suite(case("a", "passed"), case("b", "failed"))], require=["a"]).opens


@pytest.mark.parametrize(
    ("leave", "outcome", "state"),
    [
        ("allow", "failed", "allowed"),
        ("allow", "inconclusive", "allowed"),
        ("allow", "error", None),
        ("allow", "skipped", None),
        ("inconclusive", "inconclusive", "inconclusive"),
        ("inconclusive", "failed", None),
        ("flaky", "failed", None),
        ("flaky", "error", None),
    ],
)
def test_what_leave_is_for(asked, leave, outcome, state):
    decision = asked([suite(case("a", outcome))], **{leave: ["a"]})
    assert states(decision) == {"a": (state or outcome, state is None)}


def test_nothing_that_is_missing_is_excused(asked):
    assert not asked([suite(case("b", "passed"))], require=["a"], allow=["*"]).opens


@pytest.mark.parametrize(("again", "opens"), [("PASS", True), ("FAIL", False), (None, False)])
def test_a_flaky_case_may_fail_if_its_retry_passed(asked, again, opens):
    report = suite(case("a", "failed", "failure", again=again))
    assert asked([report], flaky=["a"]).opens is opens
    assert not asked([report]).opens


def test_a_flaky_case_may_fail_if_it_passed_in_another_report(asked):
    old, new = suite(case("a", "passed"), age=DAY), suite(case("a", "failed"))
    for place, reports in enumerate([[old, new], [new, old]]):
        (point,) = asked(reports, flaky=["a"]).points
        assert (point.state, point.closes) == ("flaky", False)
        assert point.why.endswith(f"/{place}.xml")
    assert not asked([old, new]).opens


def test_evidence_that_is_too_old_is_none(asked):
    reports = [suite(case("a", "passed"), age=2 * DAY), suite(case("a", "failed"))]
    assert not asked(reports, flaky=["a"], max_age="1d").opens


def test_the_same_report_twice_shows_nothing_new(asked):
    assert not asked([suite(case("a", "failed"))] * 2, flaky=["a"]).opens


def test_of_two_results_of_one_time_the_worse_counts(asked):
    reports = [suite(case("a", "failed")), suite(case("a", "passed"))]
    assert not asked(reports, flaky=["a"]).opens
    assert not asked(reports[::-1]).opens


def test_the_newest_result_counts(asked):
    old, new = suite(case("a", "failed"), case("b", "passed"), age=DAY), suite(case("a", "passed"))
    assert asked([old, new]).opens
    assert asked([new, old]).opens
    assert not asked([suite(case("a", "passed"), age=DAY), suite(case("a", "skipped", "skipped"))]).opens


@pytest.mark.parametrize(("until", "opens"), [(-1, False), (0, True), (1, True)])
def test_leave_ends_after_its_last_day(asked, until, opens):
    allow = [{"id": "a", "reason": "issue 12", "until": (NOW + until * DAY).date()}]
    (point,) = asked([suite(case("a", "failed"))], allow=allow).points
    assert point.closes is not opens
    assert ("issue 12; until" if opens else "its leave ended on 2026-11-21") in point.why


@pytest.mark.parametrize(("age", "opens"), [(timedelta(0), True), (DAY, True), (DAY * 1.01, False)])
def test_a_result_may_be_too_old(asked, age, opens):
    decision = asked([suite(case("a", "passed"), age=age)], max_age="1d")
    assert decision.opens is opens
    assert states(decision)["a"][0] == ("passed" if opens else "old")


def test_a_replay_makes_no_result_younger(asked):
    about = {"ixy.started": (NOW - 2 * DAY).isoformat()}
    assert not asked([suite(case("a", "passed"), about=about)], max_age="1d").opens
    assert asked([suite(case("a", "passed"), about=about)], max_age="3d").opens
    replayed, newer = suite(case("a", "passed"), about=about), suite(case("a", "failed"), age=DAY)
    assert not asked([replayed, newer]).opens


@pytest.mark.parametrize("stamp", ["", "2026-11-22T11:00:00", "yesterday"])
def test_with_an_age_each_report_needs_a_time(asked, stamp):
    report = suite(case("a", "passed"), stamp=stamp)
    assert asked([report]).opens
    with pytest.raises(UsageError, match=r"0\.xml: no timestamp"):
        asked([report], max_age="1d")


def test_a_report_from_the_future_is_an_error(asked):
    with pytest.raises(UsageError, match="yet to come"):
        asked([suite(case("a", "passed"), age=-timedelta(minutes=6))], max_age="1d")
    assert asked([suite(case("a", "passed"), age=-timedelta(minutes=4))], max_age="1d").opens
    with pytest.raises(UsageError, match="yet to come"):
        asked([suite(case("a", "failed")), suite(case("a", "passed"), age=-DAY)])


def test_of_several_reports_each_needs_a_time(asked):
    with pytest.raises(UsageError, match="which report is the newest"):
        asked([suite(case("a", "passed")), suite(case("b", "passed"), stamp="")])


def test_a_report_about_another_build_does_not_count(asked):
    ours = suite(case("a", "failed"), about={"ixy.version": "1.7.0-1-66d9b7be"}, age=DAY)
    other = suite(case("a", "passed"), about={"ixy.version": "1.7.0-2-00000000"})
    about = {"ixy.version": "*-66d9b7be"}
    assert states(asked([ours, other], about=about)) == {"a": ("failed", True)}
    (point,) = asked([other], require=["a"], about=about).points
    assert (point.state, point.why) == ("missing", "no report has a result about ixy.version = *-66d9b7be")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("teravm/*", "teravm/smoke/4G", True),
        ("teravm/smoke", "teravm/smoke/4G", False),
        ("teravm/?G", "teravm/4G", True),
        ("t/test_x[a-z]", "t/test_x[a-z]", True),
        ("t/test_x[a-z]", "t/test_xb", False),
        ("t/test_x[*]", "t/test_x[1]", True),
        ("A", "a", False),
    ],
)
def test_patterns(pattern, text, found):
    assert matches(pattern, text) is found


@given(st.text(st.characters(exclude_characters="*?")))
def test_a_pattern_without_wild_cards_is_itself(text):
    assert matches(text, text)
    assert not matches(text, text + "x")


@pytest.fixture
def gate(tmp_path, monkeypatch, capsys):
    """Run the command on `report.xml`, which is of this hour: status, what it said, what it complained."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, report=None):
        if report is not None:
            (tmp_path / "report.xml").write_text(report)
        try:
            status = cli.main(["gate", "--junit", "report.xml", *arguments])
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def recent(*cases):
    return suite(*cases, stamp=datetime.now(UTC).isoformat())


MIXED = (
    case("teravm/smoke", "failed", "failure"),
    case("teravm/smoke/4G_M2AS_UDP", "failed", "failure"),
    case("teravm/smoke/5G", "failed", "failure", again="PASS"),
    case("teravm/smoke/6G", "passed"),
)


def test_it_says_why_a_line_for_each_that_counts(gate):
    options = ("--require=teravm/*", "--require=teravm/soak/*", "--allow=*UDP", "--flaky=*5G", "--max-age=1h")
    status, out, err = gate(*options, report=recent(*MIXED))
    assert (status, err) == (1, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "closed: 2 of 5 required results are in the way",
        "  failed        teravm/smoke              it failed",
        "  missing       teravm/soak/*             no report has a result",
        "  allowed       teravm/smoke/4G_M2AS_UDP  it failed, as it may",
        "  flaky         teravm/smoke/5G           it failed, but passed when it was run once more",
    ]


def test_an_open_gate_is_status_0(gate):
    assert gate("--require=*6G", report=recent(*MIXED)) == (0, "open: 1 of 1 required results passed\n", "")
    status, out, _ = gate("--require=*UDP", "--allow=*UDP")
    assert status == 0
    assert out.startswith("open: 0 of 1 required results passed, the others may be as they are\n  allowed ")


def test_json_has_all_of_it(gate):
    status, out, _ = gate("--require=*6G", "--require=none", "--json", report=recent(*MIXED))
    data = json.loads(out)
    assert (status, data["gate"]) == (1, "closed")
    passed, missing = data["required"]
    assert (passed["id"], passed["state"], passed["closes"]) == ("teravm/smoke/6G", "passed", False)
    assert datetime.fromisoformat(passed["timestamp"]) <= datetime.now(UTC)
    assert (missing["id"], missing["state"], missing["report"]) == ("none", "missing", None)


def test_what_a_report_says_cannot_harm_a_terminal(gate):
    name = "<b>\u202e" + "x" * 500
    status, out, _ = gate("--require=*", report=recent(case(name, "failed")))
    assert status == 1
    assert all(line.isprintable() and len(line) < 200 for line in out.splitlines())


def test_thousands_of_lines_are_not_printed(gate):
    _, out, _ = gate("--require=*", report=recent(*(case(str(n), "failed") for n in range(1000))))
    assert out.splitlines()[-1] == "  … and 800 more"


POLICY = """\
require = ["teravm/smoke/*"]
max_age = "1h"
[[allow]]
id = "*UDP"
reason = "issue 12"
until = 2999-12-31
[[flaky]]
id = "*5G"
"""


def test_a_policy_is_a_file_and_options_add_to_it(gate, tmp_path):
    (tmp_path / "gate.toml").write_text(POLICY)
    status, out, _ = gate("--policy=gate.toml", report=recent(*MIXED))
    assert status == 0
    assert "it failed, as it may (issue 12; until 2999-12-31)" in out
    assert gate("--policy=gate.toml", "--require=teravm/smoke")[0] == 1
    assert gate("--policy=gate.toml", "--require=teravm/smoke", "--allow=teravm/smoke")[0] == 0


def test_an_option_wins_over_the_files_age(gate, tmp_path):
    (tmp_path / "gate.toml").write_text(POLICY)
    report = suite(*MIXED, stamp=(datetime.now(UTC) - timedelta(hours=2)).isoformat())
    assert gate("--policy=gate.toml", report=report)[0] == 1
    assert gate("--policy=gate.toml", "--max-age=3h")[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("requires = []", "gate.toml:1: unknown key 'requires'; did you mean 'require'?"),
        ('require = ["a"]\nmax_age = "often"', "gate.toml:2: 'max_age' should be a time"),
        ('[[allow]]\nid = "a"\nuntil = "soon"', "gate.toml:3: 'until' in [allow.0] should be a valid date"),
        (
            '[[allow]]\nid = "a"\nreasons = ""',
            "gate.toml:3: unknown key 'reasons' in [allow.0]; did you mean",
        ),
        ("[[flaky]]\nreason = 'x'", "gate.toml:1: 'id' in [flaky.0] is missing"),
        ("allow = [\n  1]", "gate.toml:2: element 1 of 'allow'"),
        ('require = [""]', "gate.toml:1: element 1 of 'require' should have at least 1 character"),
        ("max_age = '1h'", "Nothing is required"),
        ("=", "gate.toml:1: not TOML"),
    ],
)
def test_a_wrong_policy_is_status_2_with_file_and_line(gate, tmp_path, text, words):
    (tmp_path / "gate.toml").write_text(text)
    status, out, err = gate("--policy=gate.toml", report=recent(*MIXED))
    assert (status, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--require="],
        ["--require=*", "--max-age=5"],
        ["--require=*", "--about=version"],
        ["--require=*", "--policy=none.toml"],
        ["--require=*", "--junit=none.xml"],
        ["--require=*", "more"],
    ],
)
def test_who_cannot_tell_is_status_2(gate, arguments):
    status, out, err = gate(*arguments, report=recent(*MIXED))
    assert (status, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_a_cut_report_is_status_2(gate):
    status, out, err = gate("--require=*", report=recent(*MIXED)[:-30])
    assert (status, out) == (2, "")
    assert "report.xml:1: not XML, or cut" in err
