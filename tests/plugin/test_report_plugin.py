"""The reports in real pytest runs, with and without the plugins that they go into."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np  # noqa: F401 - it cannot be loaded again once pytester has dropped it
import pytest
import report_bundles

CONFTEST = """
import pytest
from pytest_ixy.report.collect import Reports

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reports(config), "ixy-reports")

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    for mark in item.iter_markers("ixy"):
        for name, value in mark.kwargs.items():
            setattr(report, "ixy_" + name, value)
    return report
"""
TESTS = """
import os, pytest

LABEL = {label!r}

def finding(rule, outcome, title):
    about = dict(rule=rule, outcome=outcome, title=title, numbers=dict(packets=8), message="at frame 3")
    mark = pytest.mark.ixy(target=LABEL, bundle={bundle!r}, finding=about)
    return pytest.param(outcome, marks=mark, id=rule)

@pytest.mark.parametrize("outcome", [
    finding("count", "passed", "8 packets"),
    finding("duplicates", "failed", "1 came twice <script>alert(1)</script>"),
    finding("order", "reported", "one late"),
])
def test_capture(outcome):
    assert outcome != "failed"

@pytest.mark.ixy(target=LABEL)
@pytest.mark.parametrize("role", ["<img src=x onerror=alert(1)>"])
def test_role(role):
    pass

@pytest.fixture
def lab():
    raise OSError("no SSH to <node> fwd")

@pytest.mark.ixy(target="lost@7654321")
def test_lost(lab):
    pass

@pytest.mark.ixy(target="lost@7654321")
def test_skipped():
    pytest.skip("no SSH to <node> fwd")

def test_foreign():
    pass
"""
LABEL = "ixy<b>@0e00605"
HEAD = ["--html=out/report.html", "--junitxml=out/report.xml"]


class Page(HTMLParser):
    """Elements and words of the page, and the data that its script makes the table of."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words = ""
        self.blob = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.blob = dict(attrs).get("data-jsonblob") or self.blob

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def cells(self) -> list[str]:
        tests = json.loads(self.blob)["tests"].values()
        return [cell for test in tests for entry in test for cell in entry["resultsTableRow"]]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    report_bundles.make(pytester.path / "a b", [0, 1, 1, 3])
    pytester.makeini("[pytest]\nmarkers = ixy")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS.format(label=LABEL, bundle=str(pytester.path / "a b")))
    return pytester


def properties(path: Path) -> dict[str, str]:
    found = ET.parse(path).getroot().findall("./testsuite/properties/property")
    assert len({one.attrib["name"] for one in found}) == len(found)
    return {one.attrib["name"]: one.attrib["value"] for one in found}


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("mode", [[], ["--self-contained-html"]], ids=["assets", "self-contained"])
def test_page_and_properties(run: pytest.Pytester, workers: list[str], mode: list[str]) -> None:
    result = run.runpytest(*HEAD, *workers, *mode)
    result.assert_outcomes(passed=3, failed=1, errors=1, skipped=1)
    page = Page((run.path / "out/report.html").read_text())
    result.stdout.fnmatch_lines(["*3 passed, *1 reported*"])
    assert page.elements.count("section") == 2
    assert page.elements.count("svg") == 3
    assert "no SSH to <node> fwd" in page.words
    assert "1 came twice <script>alert(1)</script>" in page.words
    assert page.elements.count("script") == 1
    assert "img" not in page.elements[page.elements.index("section") :]
    assert not [cell for cell in page.cells if "<img" in cell or "<b>" in cell]
    assert any("&lt;img src=x onerror=alert(1)&gt;" in cell for cell in page.cells)

    found = properties(run.path / "out/report.xml")
    assert {found[f"ixy.{name}"] for name in ("target", "commit", "loss", "packets")} == {
        LABEL, report_bundles.COMMIT, "0.250000", "4",
    }  # fmt: skip
    assert (found["ixy.provider"], found["ixy.accelerator"], found["ixy.captured"]) == ("qemu", "tcg", "4")
    assert found["ixy.bundle"] == str(run.path / "a b")
    assert (found["ixy.2.target"], found["ixy.2.verdict"]) == ("lost@7654321", "error")


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_findings_are_left_in_the_bundle_in_the_order_of_the_tests(
    run: pytest.Pytester, workers: list[str]
) -> None:
    run.runpytest(*workers)
    findings = json.loads((run.path / "a b/findings.json").read_text())
    assert [(one["rule"], one["outcome"]) for one in findings] == [
        ("count", "passed"), ("duplicates", "failed"), ("order", "reported"),
    ]  # fmt: skip


def test_terminal_names_the_bundle_and_the_command(run: pytest.Pytester) -> None:
    result = run.runpytest()
    result.stdout.fnmatch_lines([
        "ixy<b>@0e00605: failed (1 failed, 2 passed, 1 reported)",
        f"  bundle: {run.path}/a b",
        f"  rerun:  pytest --ixy-repo=https://github.com/emmericp/ixy --ixy-ref={report_bundles.COMMIT} *",
        "lost@7654321: error (1 error, 1 skipped)",
    ])  # fmt: skip


def test_what_is_reported_is_neither_passed_nor_failed_and_is_listed(run: pytest.Pytester) -> None:
    result = run.runpytest("-v", "-k", "order or count")
    assert result.ret == 0
    result.stdout.fnmatch_lines([
        "*::test_capture[[]count[]] PASSED*",
        "*::test_capture[[]order[]] REPORTED*",
        "*- reported: broken rules that fail no test -*",
        "order: one late",
        "*= 1 passed, 5 deselected, 1 reported in *",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("count: 8 packets")
    quiet = run.runpytest("-qq", "-k", "order or count").stdout
    quiet.fnmatch_lines([".r*"])
    quiet.no_fnmatch_line("order: one late")


def test_what_is_reported_is_yellow(run: pytest.Pytester) -> None:
    result = run.runpytest("--color=yes", "-k", "order")
    result.stdout.fnmatch_lines(["*\x1b[[]33mr\x1b[[]0m*", "*\x1b[[]33m*1 reported*"])


def test_nothing_is_listed_when_nothing_is_reported(run: pytest.Pytester) -> None:
    result = run.runpytest("-k", "count")
    for words in ("*- reported*", "*1 reported*"):
        result.stdout.no_fnmatch_line(words)


OBJECTION = """
import pytest

@pytest.mark.ixy(target="a@1", finding={"rule": "loss", "outcome": "%s", "title": "2 lost", "numbers": {}})
def test_mine():
    assert "what the test says" == 0
"""


@pytest.mark.parametrize("outcome", ["passed", "reported"])
def test_a_test_that_fails_though_its_rule_does_not_has_failed(run: pytest.Pytester, outcome: str) -> None:
    run.makepyfile(test_mine=OBJECTION % outcome)
    result = run.runpytest("test_mine.py", "--html=out/report.html")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["a@1: failed (1 failed)"])
    assert "what the test says" in Page((run.path / "out/report.html").read_text()).words


def test_job_summary_is_appended(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    file = run.path / "summary.md"
    file.write_text("what stood there\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    run.runpytest("-n", "2")
    said = file.read_text()
    assert said.startswith("what stood there\n## ")
    assert "| failed | duplicates | 1 came twice &#60;script&#62;" in said.replace("\N{CROSS MARK} ", "")
    assert "<summary>failed&#58; duplicates</summary><pre>at frame 3</pre>" in said
    assert "<summary>reported&#58; order</summary><pre>at frame 3</pre>" in said
    assert "<summary>passed" not in said
    assert "25&#46;00% lost" in said or "25.00% lost" in said
    assert "<script" not in said


def test_a_summary_that_cannot_be_written_is_a_note(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(run.path / "no/such/folder"))
    result = run.runpytest(*HEAD)
    result.assert_outcomes(passed=3, failed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["note: job summary not written: FileNotFoundError: *"])
    assert "job summary not written" in (run.path / "out/report.html").read_text()


@pytest.mark.parametrize("off", ["html", "junitxml", "xdist", "terminal"])
def test_without_a_plugin_that_others_may_have_switched_off(run: pytest.Pytester, off: str) -> None:
    wanted = [option for option in HEAD if off not in option]
    result = run.runpytest("-p", f"no:{off}", *wanted)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert (run.path / "out/report.html").exists() == (off != "html")
    assert (run.path / "out/report.xml").exists() == (off != "junitxml")
    assert (run.path / "a b/findings.json").exists()


def test_a_damaged_bundle_breaks_no_report(run: pytest.Pytester) -> None:
    (run.path / "a b/manifest.json").write_text("{")
    result = run.runpytest(*HEAD)
    result.assert_outcomes(passed=3, failed=1, errors=1, skipped=1)
    assert "cannot be shown" in (run.path / "out/report.html").read_text()
    assert "manifest.json" in properties(run.path / "out/report.xml")["ixy.problem"]


def test_numpy_is_not_imported_when_nothing_is_drawn(run: pytest.Pytester) -> None:
    with (run.path / "conftest.py").open("a") as stream:
        stream.write(
            "\ndef pytest_unconfigure():\n import sys\n print('numpy' in sys.modules, end=' imported')\n"
        )
    run.runpytest_subprocess("-s").stdout.fnmatch_lines(["*False imported*"])


def test_a_worker_that_died_is_told_on_the_page(run: pytest.Pytester) -> None:
    run.makepyfile(test_crash="import os\ndef test_crash():\n    os._exit(3)")
    run.runpytest("-n", "1", "--html=out/report.html", "test_crash.py")
    page = Page((run.path / "out/report.html").read_text())
    assert "test_crash.py::test_crash: worker 'gw0' crashed while running" in page.words


def test_a_hostile_branch_in_the_environment_is_escaped(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_COMMIT_REF_NAME", "<img/src=x/onerror=alert(1)>")
    run.runpytest("--html=out/report.html", "--metadata", "docs", "<a>mine</a>")
    environment = json.loads(Page((run.path / "out/report.html").read_text()).blob)["environment"]
    assert environment["CI_COMMIT_REF_NAME"] == "&lt;img/src=x/onerror=alert(1)&gt;"
    assert environment["docs"] == "<a>mine</a>"


def test_a_title_of_the_users_own_stays(run: pytest.Pytester) -> None:
    with (run.path / "conftest.py").open("a") as stream:
        stream.write("\ndef pytest_html_report_title(report):\n report.title = 'mine'\n")
    run.runpytest("--html=out/report.html")
    assert '<title id="head-title">mine</title>' in (run.path / "out/report.html").read_text()
