"""Dialects, severities and options of rules in whole pytest runs: replays, which need no lab."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import zstandard
from bundles import make_bundle
from captures import ixy_frame, packets, pcap
from dialects import capture_of, frame_of
from test_replay import outcomes, run, snapshot

from pytest_ixy.dialect import shipped

SIZE = "test_capture[ixy@0e00605-size]"
BOUNDS = "test_capture[ixy@0e00605-sequence-bounds]"
REPORT = {"size": {"severity": "report"}}
TOO_LONG = [ixy_frame(number, size=61) for number in range(100)]
TITLE = "100 of 100 packets are not 60 bytes long"
ALONE_AND_SPREAD = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])


def came_to(done, test):
    """What one test came to, REPORTED among it."""
    lines = [line for line in done.stdout.splitlines() if f"::{test}" in line and "%]" in line]
    (line,) = [line for line in lines if line.split()[0] != "FAILED"] or lines
    return next(word for word in line.split() if word in {"PASSED", "FAILED", "SKIPPED", "REPORTED", "ERROR"})


@ALONE_AND_SPREAD
def test_what_only_reports_passes_and_everybody_sees_it(workers, user, tmp_path):
    path = make_bundle(tmp_path, TOO_LONG, rules=REPORT).path
    reports = ["--html=r.html", "--self-contained-html", "--junitxml=r.xml"]
    done = run(user, f"--ixy-replay={path}", *workers, *reports, GITHUB_STEP_SUMMARY=str(user / "s.md"))
    assert done.returncode == 0, done.stdout
    assert came_to(done, SIZE) == "REPORTED"
    assert ", 1 reported in " in done.stdout.splitlines()[-1]
    assert f"size: {TITLE}" in done.stdout.splitlines()
    assert ", 1 reported)" in done.stdout
    said = {one.attrib["name"]: one.attrib["value"] for one in ET.parse(user / "r.xml").iter("property")}
    assert said["ixy.reported"] == TITLE
    (case,) = [one for one in ET.parse(user / "r.xml").iter("testcase") if one.attrib["name"] == SIZE]
    assert [one.attrib["name"] for one in case.iter("property")] == ["ixy.reported"]
    page, summary = (user / "r.html").read_text(), (user / "s.md").read_text()
    assert (
        f'<span class="badge small reported">reported</span></td><td><code>size</code></td><td>{TITLE}'
        in page
    )
    assert "61 bytes: 100 packets" in page
    assert f"reported | size | {TITLE}" in summary
    assert "61 bytes&#58; 100 packets" in summary


@ALONE_AND_SPREAD
def test_the_command_line_and_the_environment_win_over_the_record(workers, user, tmp_path):
    path = make_bundle(tmp_path, TOO_LONG, rules=REPORT).path
    before = snapshot(path)
    asked = ["--ixy-set=size.severity=off", "--ixy-set=size.severity=fail"]
    done = run(user, f"--ixy-replay={path}", *asked, *workers)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert came_to(done, SIZE) == "FAILED"
    done = run(user, f"--ixy-replay={path}", *workers, IXY_SET="count.severity=report size.severity=fail")
    assert came_to(done, SIZE) == "FAILED"
    assert snapshot(path) == before


def test_files_do_not_win_over_the_record(user, tmp_path):
    path = make_bundle(tmp_path, TOO_LONG, rules=REPORT).path
    (user / "pytest.ini").write_text(
        "[pytest]\nixy_set =\n  size.severity=fail\n  count.severity=off\nixy_dialect = go\n"
    )
    (user / "config.toml").write_text('[rules.size]\nseverity = "fail"\n')
    done = run(user, f"--ixy-replay={path}", "--ixy-config=config.toml")
    assert done.returncode == 0
    assert came_to(done, SIZE) == "REPORTED"
    assert came_to(done, BOUNDS) == "PASSED"


@ALONE_AND_SPREAD
def test_of_a_capture_alone_nothing_is_on_record_so_files_count(workers, user, tmp_path):
    (tmp_path / "c.pcap").write_bytes(capture_of(shipped("go"), range(100)))
    (user / "pytest.ini").write_text("[pytest]\nixy_set =\n  count.severity=report\n")
    (user / "config.toml").write_text('dialect = "mine.toml"\n[rules.size]\nseverity = "off"\n')
    (user / "mine.toml").write_text('[dialect]\nname = "c"\nnumber = {at = 56, order = "big"}\n')
    asked = ["--ixy-config=config.toml", "--ixy-packets=99"]
    done = run(user, "--ixy-replay=../c.pcap", *asked, *workers)
    names = ("sequence-bounds", "count", "size")
    found = [came_to(done, f"test_capture[c.pcap-{name}]") for name in names]
    assert found == ["PASSED", "REPORTED", "SKIPPED"]


@ALONE_AND_SPREAD
def test_a_dialect_is_on_record_and_can_be_overridden(workers, user, tmp_path):
    frames = [frame_of(shipped("go"), number) for number in range(100)]
    path = make_bundle(tmp_path, frames, dialect=shipped("go")).path
    assert came_to(run(user, f"--ixy-replay={path}", *workers), BOUNDS) == "PASSED"
    assert came_to(run(user, f"--ixy-replay={path}", "--ixy-dialect=rust", *workers), BOUNDS) == "FAILED"


def test_the_reports_read_the_capture_by_the_same_dialect(user, tmp_path):
    (tmp_path / "c.pcap").write_bytes(capture_of(shipped("go"), range(100)))
    done = run(user, f"--ixy-replay={tmp_path}/c.pcap", "--ixy-dialect=go", "--junitxml=r.xml")
    said = {one.attrib["name"]: one.attrib["value"] for one in ET.parse(user / "r.xml").iter("property")}
    assert (said["ixy.unique"], float(said["ixy.loss"])) == ("100", 0)
    assert f"  replay: pytest --ixy-replay={tmp_path}/c.pcap --ixy-dialect=go\n" in done.stdout


def test_the_commands_to_do_it_again_say_how_it_was_judged(user, tmp_path):
    path = make_bundle(tmp_path, TOO_LONG, rules=REPORT, dialect=shipped("rust")).path
    done = run(user, f"--ixy-replay={path}")
    assert "--ixy-packets=100 --ixy-dialect=rust --ixy-set=size.severity=report\n" in done.stdout


def named():
    """What Python's temporary files are called, in the folder where captures are unpacked."""
    return set(Path("/var/tmp").glob("tmp*"))


PACK = {"gz": gzip.compress, "zst": zstandard.compress}


@ALONE_AND_SPREAD
@pytest.mark.parametrize("kind", PACK)
def test_a_compressed_capture_is_replayed_and_nothing_is_left(kind, workers, user, tmp_path):
    path = tmp_path / f"c.pcap.{kind}"
    path.write_bytes(PACK[kind](pcap(packets(map(ixy_frame, [*range(99), 5])))))
    (folder := tmp_path / "tmp").mkdir()
    before = named()
    done = run(user, f"--ixy-replay={path}", *workers, "--junitxml=r.xml", TMPDIR=str(folder))
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert came_to(done, f"test_capture[{path.name}-duplicates]") == "FAILED"
    assert "#5 at frame 6 and frame 100" in done.stdout
    assert f"capture: {path}\n" in done.stdout
    said = {one.attrib["name"]: one.attrib["value"] for one in ET.parse(user / "r.xml").iter("property")}
    assert said["ixy.captured"] == "100"
    assert named() == before
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", PACK)
def test_a_compressed_capture_that_is_cut_is_an_error_once(kind, user, tmp_path):
    path = tmp_path / f"c.pcap.{kind}"
    path.write_bytes(PACK[kind](pcap(packets(map(ixy_frame, range(100)))))[:-9])
    done = run(user, f"--ixy-replay={path}", "--html=r.html")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert list(outcomes(done).values()).count("ERROR") == 1
    assert set(outcomes(done).values()) == {"ERROR", "SKIPPED"}
    assert "cannot be judged: the " in done.stdout
    assert "stream is cut" in (user / "r.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ixy-set=sise.severity=off"], "--ixy-set: there is no rule 'sise', did you mean 'size'?"),
        (["--ixy-set=size.severity=\x1b"], "--ixy-set: 'size.severity=\\x1b' has a control character"),
        (["--ixy-dialect=rsut"], "--ixy-dialect: there is no dialect 'rsut'; did you mean 'rust'?"),
        (["--ixy-config=config.toml"], "config.toml:2: the rule 'size' has no option 'sevrity'"),
    ],
)
def test_what_cannot_be_set_is_a_usage_error(arguments, words, user, tmp_path):
    (user / "config.toml").write_text('[rules.size]\nsevrity = "off"\n')
    done = run(user, f"--ixy-replay={make_bundle(tmp_path).path}", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert words in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "terms", [{"size": {"severity": "\x1b[2J"}}, {"size": {"x": 1}}, {"size": {"severity": []}}]
)
def test_a_hostile_record_is_a_usage_error(terms, user, tmp_path):
    path = make_bundle(tmp_path).path
    data = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**data, "rules": terms}))
    done = run(user, f"--ixy-replay={path}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "manifest.json: " in done.stderr
    assert "\x1b" not in done.stderr


def test_the_help_teaches_it(user):
    said = " ".join(run(user, "--help").stdout.split())
    for words in (
        "--ixy-dialect=NAME|FILE",
        "--ixy-set=RULE.OPTION=VALUE",
        "order.severity=fail",
        "judge --guess",
    ):
        assert words in said
