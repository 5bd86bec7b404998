"""JUnit reports are read whole or not at all, whoever wrote them."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junit_reports import NOW, case, suite

from pytest_ixy.errors import UsageError
from pytest_ixy.gate import junit
from pytest_ixy.gate.results import WORST_LAST, outcome_of


@pytest.fixture
def report(tmp_path):
    """Write a report, and read it: outcomes by id."""

    def read(content):
        path = tmp_path / "report.xml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return junit.read(path)

    return read


def outcomes(results):
    return {result.id: result.outcome for result in results}


@pytest.fixture
def refused(report):
    """What is said of a report that cannot be read."""

    def read(content):
        with pytest.raises(UsageError) as caught:
            report(content)
        return str(caught.value)

    return read


def test_ids_outcomes_and_retries_are_those_of_the_properties(report):
    failing = case("teravm/smoke/4G.A-B", "inconclusive", "failure", again="PASS")
    (first, second) = report(suite(failing, case("teravm/smoke", "passed")))
    assert (first.id, first.outcome, first.passed_again) == ("teravm/smoke/4G.A-B", "inconclusive", True)
    assert (second.id, second.outcome, second.passed_again) == ("teravm/smoke", "passed", False)
    assert first.suite.when == NOW


def test_any_report_of_pytest_will_do(report, tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef torn():\n    yield\n    raise RuntimeError('<td>')\n"
        "def test_fails(torn, record_property):\n"
        "    record_property('ixy.id', 'mine')\n"
        "    record_property('ixy.outcome', 'passed')\n"
        "    assert 0\n"
        "def test_torn(torn): pass\n"
        "@pytest.mark.skip\ndef test_skipped(): pass\n"
        "@pytest.mark.parametrize('x', ['a/b', '<b>\\x1b[1m'])\ndef test_passes(x): print('&' * 9)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=out.xml"]
    subprocess.run([*command, "-c", os.devnull, "test_it.py"], cwd=tmp_path, capture_output=True, check=False)
    results = report((tmp_path / "out.xml").read_bytes())
    found = outcomes(results)
    assert found.pop("test_it/test_passes[a/b]") == "passed"
    assert found == {
        "mine": "error",
        "test_it/test_torn": "error",
        "test_it/test_skipped": "skipped",
        "test_it/test_passes[<b>\\x1b[1m]": "passed",
    }
    assert all(result.suite.when for result in results)


@pytest.mark.parametrize("element", ["failure", "error", "skipped"])
def test_an_element_beyond_the_property_counts(report, element):
    shown = {"failure": "failed"}.get(element, element)
    assert outcomes(report(suite(case("a", "passed", element)))) == {"a": shown}


def test_a_word_that_nobody_knows_is_an_error(report):
    assert outcomes(report(suite(case("a", "fine")))) == {"a": "error"}


@given(st.sampled_from(WORST_LAST), st.sampled_from(["passed", "skipped", "failed", "error"]))
def test_an_outcome_is_never_better_than_the_elements_allow(word, elements):
    found = outcome_of(word, elements)
    assert found in (word, elements)
    if elements in ("failed", "error"):
        assert found in ("inconclusive", "failed", "error")


def test_the_worst_of_several_counts(report):
    several = [case("a", "passed"), case("a", "failed", "failure"), case("a", "passed")]
    assert outcomes(report(suite(*several))) == {"a": "failed"}


def test_what_stands_beside_the_tests_is_passed_over(report):
    other = '<system-out>&lt;failure/></system-out><property name="ixy.id" value="b"/>'
    text = suite(case("a", "passed"), about={"ixy.version": "1.7.0-1-66d9b7be"})
    (result,) = report(text.replace("</testsuite>", f"{other}<failure/></testsuite>"))
    assert (result.id, result.outcome) == ("a", "passed")
    assert result.suite.about["ixy.version"] == "1.7.0-1-66d9b7be"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_other_encodings_that_xml_has(report, encoding):
    name = encoding.removesuffix("-sig")
    text = suite(case("Prüfung")).replace("utf-8", name).replace("…", ".")
    assert outcomes(report(text.encode(encoding))) == {"tests.test_it/Prüfung": "passed"}


@pytest.mark.parametrize("stamp", ["", "2026-11-22T12:00:00", "today", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_compared_is_none(report, stamp):
    (result,) = report(suite(case("a", "passed"), stamp=stamp))
    assert result.suite.when is None


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "{}">{}]>'.format(
    "x" * 100, "".join(f'<!ENTITY b{i} "{"&b;" * 10}">' for i in range(10))
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no element found"),
        ("<html><body>502</body></html>", "not a JUnit report: it begins with <html>"),
        ("\x1b[31m", "not XML"),
        (BOMB + suite(case("a")).partition("?>")[2], "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>', "document type"),
        ("<testsuite><testcase name='&b;'/></testsuite>", "undefined entity"),
        (b'<?xml version="1.0" encoding="shift-jis"?><testsuite/>', "encoding"),
        (b'<?xml version="1.0" encoding="klingon"?><testsuite/>', "encoding"),
        (suite(case("ü")).encode("iso-8859-1", "ignore"), "invalid token"),
        (suite(case("a", "passed")) + "<more/>", "junk after document"),
        ("<testsuite>" * 101, "100 deep"),
        (suite(case("a" * 1001, "passed")), "longer than 1000"),
        (suite(*["<testsuite/>"] * 5000), "5,000 test suites"),
        (suite(about={f"p{i}": "" for i in range(201)}), "200 properties"),
        (suite("<testcase>" * 2 + "</testcase>" * 2), "test inside of a test"),
    ],
    ids=range(15),
)
def test_what_is_no_report_is_said_in_a_line(refused, content, words):
    said = refused(content)
    assert words in said
    assert "report.xml:" in said
    assert said.isprintable()


def test_a_report_cut_anywhere_is_none(report, refused):
    whole = suite(case("a", "passed"), case("b", "failed", "failure")).encode()
    for length in range(0, len(whole), 7):
        refused(whole[:length])
    assert len(report(whole)) == 2


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=20), st.integers(0, 400))
def test_damage_is_refused_or_read_but_never_a_crash(tmp_path_factory, damage, place):
    whole = suite(case("a", "passed"), case("b", "failed", "failure")).encode()
    path = tmp_path_factory.getbasetemp() / "damaged.xml"
    path.write_bytes(whole[:place] + damage + whole[place + len(damage) :])
    assert _said(path).isprintable()


def _said(path):
    try:
        return " ".join(result.outcome for result in junit.read(path))
    except UsageError as error:
        return str(error)


def test_too_many_tests_are_refused(refused, monkeypatch):
    monkeypatch.setattr(junit, "MOST", 3)
    assert "more than 3 tests" in refused(suite(*[case(str(number), "passed") for number in range(4)]))


def test_a_report_beyond_all_bounds_is_refused(refused, monkeypatch):
    monkeypatch.setattr(junit, "LARGEST", 1 << 20)
    assert "longer than 1 MiB" in refused(suite(f"<system-out>{'x' * (2 << 20)}</system-out>"))


def test_a_tag_that_does_not_end_is_refused_early(refused):
    assert "tag or comment" in refused("<testsuite><testcase name='" + "x" * (40 << 20))


def test_texts_take_no_memory(report):
    log = "line\n" * (4 << 20)
    content = suite(case("a", "passed"), f"<system-out>{log}</system-out>").encode()
    tracemalloc.start()
    try:
        assert len(report(content)) == 1
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_what_cannot_be_read_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("none.xml", "No such file"),
        (".", "Is a directory"),
        ("pipe", "not a regular file"),
    ):
        with pytest.raises(UsageError, match=words):
            junit.read(tmp_path / name)
