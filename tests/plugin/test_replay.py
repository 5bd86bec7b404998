"""pytest --ixy-replay, seen from outside: bundles made here, no lab."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from bundles import make_bundle, make_manifest, make_run
from captures import ixy_frame, packets, pcap

from pytest_ixy.bundle import CAPTURE, Build, BuildStep, CaptureRecord, CourseRecord, Event, Exit, write
from pytest_ixy.rules import rules

ROLES = ("pktgen", "fwd", "pcap")
RULES = tuple(rules())
TESTS = [
    *(f"test_{kind}[{{0}}-{role}]" for kind in ("build", "role") for role in ROLES),
    *(f"test_capture[{{0}}-{rule}]" for rule in RULES),
]
USAGE = pytest.ExitCode.USAGE_ERROR


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path).path


def run(folder, *arguments, **environment):
    """Run pytest as a user does; PATH is empty: nothing that a lab needs can be found."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback (most" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done


def outcomes(done):
    """What each test came to, by its short id, in order."""
    found = re.findall(r"::(test_\w+\[\S+\]) (PASSED|FAILED|SKIPPED|ERROR)", done.stdout)
    return dict(found)


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_good_trial_passes_under_the_ids_of_the_live_run(bundle, user, tmp_path):
    before = snapshot(bundle)
    done = run(user, f"--ixy-replay={bundle}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == {test.format("ixy@0e00605"): "PASSED" for test in TESTS}
    assert list(outcomes(done)) == [test.format("ixy@0e00605") for test in TESTS]
    assert snapshot(bundle) == before
    assert list(user.iterdir()) == []
    assert not (tmp_path / "xdg_state_home").exists()


def failing(tmp_path, numbers):
    return make_bundle(tmp_path, map(ixy_frame, numbers)).path


def test_rules_fail_as_in_the_live_run(user, tmp_path):
    done = run(user, f"--ixy-replay={failing(tmp_path, [*range(99), 5])}")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    failed = {test for test, outcome in outcomes(done).items() if outcome == "FAILED"}
    assert failed == {f"test_capture[ixy@0e00605-{rule}]" for rule in ("sequence-bounds", "duplicates")}
    assert "1 of 100 packets carries a sequence number seen before" in done.stdout
    assert "#5 at frame 6 and frame 100" in done.stdout


def test_a_failed_build_fails_and_the_trial_is_skipped_for_it(user, tmp_path):
    step = BuildStep(command="make fwd", exit=Exit(status=2), seconds=1)
    builds = {role: Build(steps=(step,), log=f"build/{role}.log") for role in ROLES}
    builds["pcap"] = make_manifest().builds["pcap"]
    made = make_bundle(tmp_path, builds=builds, roles={}, capture=CaptureRecord(file=None))
    (made.path / "build").mkdir()
    (made.path / "build/fwd.log").write_text("fwd.c:1: no such thing")
    done = run(user, f"--ixy-replay={made.path}", "-rs")
    found = outcomes(done)
    assert [found[test.format("ixy@0e00605")] for test in TESTS[:3]] == ["FAILED", "FAILED", "PASSED"]
    assert {found[test.format("ixy@0e00605")] for test in TESTS[3:]} == {"SKIPPED"}
    assert "fwd.c:1: no such thing" in done.stdout
    assert "not run: the build failed on" in done.stdout


def test_a_role_that_crashed_fails(user, tmp_path):
    crashed = make_run("fwd", exit=Exit(status=139, signal="SIGSEGV"), ended_itself=True, stopped_by=None)
    roles = {role: make_run(role) for role in ROLES} | {"fwd": crashed}
    done = run(user, f"--ixy-replay={make_bundle(tmp_path, roles=roles).path}")
    failed = {test for test, outcome in outcomes(done).items() if outcome == "FAILED"}
    assert failed == {"test_role[ixy@0e00605-fwd]", "test_capture[ixy@0e00605-exits]"}


@pytest.mark.parametrize("numbers", [range(100), [*range(99), 5]], ids=["good", "bad"])
def test_xdist_gives_the_same(numbers, user, tmp_path):
    path = failing(tmp_path, numbers)
    alone, spread = run(user, f"--ixy-replay={path}"), run(user, f"--ixy-replay={path}", "-n", "2")
    assert spread.returncode == alone.returncode
    found = re.findall(r"(PASSED|FAILED|SKIPPED|ERROR) \S+::(test_\w+\[\S+\])", spread.stdout)
    assert {test: outcome for outcome, test in found} == outcomes(alone)
    assert len(set(found)) == len(TESTS)


def test_collecting_selecting_and_giving_an_id_back(bundle, user):
    listed = run(user, f"--ixy-replay={bundle}", "--collect-only", "-q", "-q").stdout
    assert listed.count("::test_") == len(TESTS)
    assert len(outcomes(run(user, f"--ixy-replay={bundle}", "-k", "duplicates or size"))) == 2
    one = f"scenarios/forward/test_forward.py::{TESTS[8].format('ixy@0e00605')}"
    assert outcomes(run(user, f"--ixy-replay={bundle}", one)) == {one.rpartition("::")[2]: "PASSED"}


def test_the_environment_the_ini_file_and_relative_paths(bundle, user):
    assert len(outcomes(run(user, IXY_REPLAY=f"../{bundle.name}"))) == len(TESTS)
    (user / "pytest.ini").write_text(f"[pytest]\nixy_replay = ../{bundle.name}\n")
    assert len(outcomes(run(user))) == len(TESTS)


def test_a_capture_alone(user, tmp_path):
    file = tmp_path / "my capture.pcap"
    file.write_bytes(pcap(packets(map(ixy_frame, range(100)))))
    done = run(user, f"--ixy-replay={file}", "-rs")
    passed = {test for test, outcome in outcomes(done).items() if outcome == "PASSED"}
    assert list(outcomes(done)) == [test.format("my-capture.pcap") for test in TESTS]
    skipped = {"sent", "count", "exits", "console", "leaks", "preflight"}
    rules = [rule for rule in RULES if rule not in skipped]
    assert passed == {f"test_capture[my-capture.pcap-{rule}]" for rule in rules}
    assert "no number of packets was given" in done.stdout
    done = run(user, f"--ixy-replay={file}", "--ixy-packets=101", "-k", "count")
    assert "100 packets captured, 101 expected" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_capture_alone_that_is_none_fails_and_nothing_passes(user, tmp_path):
    (tmp_path / "x").write_bytes(b"no capture at all")
    done = run(user, f"--ixy-replay={tmp_path / 'x'}")
    found = outcomes(done)
    assert found.pop("test_capture[x-complete]") == "FAILED"
    assert set(found.values()) == {"SKIPPED"}
    assert run(user, f"--ixy-replay={tmp_path / 'x'}", "-k", "size").returncode == 1


def test_reports_are_made_of_the_replayed_bundle(user, tmp_path):
    path = failing(tmp_path, [*range(99), 5])
    reports = ["--html=r.html", "--self-contained-html", "--junitxml=r.xml"]
    done = run(user, f"--ixy-replay={path}", *reports, GITHUB_STEP_SUMMARY=str(user / "s.md"))
    again = f"pytest --ixy-replay={path}"
    assert f"  bundle: {path}\n" in done.stdout
    assert "  rerun:  pytest --ixy-repo=https://example.org/ixy" in done.stdout
    assert f"  replay: {again}\n" in done.stdout
    page = (user / "r.html").read_text()
    assert again in page
    assert "Topology" in page
    assert "ixy@0e00605: failed" in (user / "s.md").read_text().replace("&#64;", "@")
    properties = {
        one.attrib["name"]: one.attrib["value"] for one in ET.parse(user / "r.xml").iter("property")
    }
    assert properties["ixy.target"] == "ixy@0e00605"
    assert properties["ixy.captured"] == "100"
    assert properties["ixy.bundle"] == str(path)


def test_reports_are_made_of_a_capture_alone(user, tmp_path):
    (tmp_path / "c.pcap").write_bytes(pcap(packets(map(ixy_frame, range(100)))))
    reports = ["--html=r.html", "--self-contained-html", "--junitxml=r.xml"]
    done = run(user, f"--ixy-replay={tmp_path / 'c.pcap'}", *reports, GITHUB_STEP_SUMMARY=str(user / "s.md"))
    assert done.returncode == 0
    assert f"  capture: {tmp_path}/c.pcap\n" in done.stdout
    assert "rerun:" not in done.stdout
    page = (user / "r.html").read_text()
    assert "Sequence numbers over time" in page
    assert "Topology" not in page
    assert "cannot be shown" not in page
    assert "100 captured" in (user / "s.md").read_text()
    names = {one.attrib["name"] for one in ET.parse(user / "r.xml").iter("property")}
    assert "ixy.captured" in names
    assert "ixy.commit" not in names


def test_a_bundle_that_cannot_be_written_to(user, bundle):
    (bundle / "findings.json").write_text("[]")
    for path in (bundle / "findings.json", bundle):
        path.chmod(0o555)
    done = run(user, f"--ixy-replay={bundle}", "--html=r.html")
    bundle.chmod(0o755)
    assert done.returncode == 0
    assert "not written" not in done.stdout
    assert (bundle / "findings.json").read_text() == "[]"


def test_a_link_in_place_of_the_findings_is_not_followed(user, bundle, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (bundle / "findings.json.part").symlink_to(precious)
    (bundle / "findings.json").symlink_to(precious)
    run(user, f"--ixy-replay={bundle}")
    assert precious.read_text() == "mine"


MINE = """
from pytest_ixy.rules import judge

def test_rules(ixy_bundle, ixy_target):
    assert ixy_target.record.name == "ixy"
    assert not [finding for finding in judge(ixy_bundle) if finding.failed]

def test_another_trial(ixy_trial):
    ixy_trial(packets=100)

def test_testbed(ixy_testbed):
    raise AssertionError

def test_toml(ixy_target):
    ixy_target.spec.build

def test_log(ixy_bundle):
    assert "working" in ixy_bundle.text("roles/fwd.log")
"""


@pytest.mark.parametrize("order", [1, -1], ids=["forth", "back"])
def test_tests_of_ones_own_are_judged_and_those_that_need_a_lab_skipped(order, bundle, user):
    (user / "test_mine.py").write_text(MINE)
    names = ["rules", "another_trial", "testbed", "toml", "log"][::order]
    ids = [f"test_mine.py::test_{name}[ixy@0e00605]" for name in names]
    done = run(user, f"--ixy-replay={bundle}", "-rs", *ids)
    skipped = {"test_another_trial", "test_testbed", "test_toml"}
    assert outcomes(done) == {
        (name := one.rpartition("::")[2]): "SKIPPED" if name.partition("[")[0] in skipped else "PASSED"
        for one in ids
    }
    for what in ("another trial", "a testbed", "the target's ixy-ci.toml"):
        assert f"a replay has no lab, so there is not {what}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ixy-replay={0}", "--ixy-repo={0}"], "--ixy-repo and --ixy-replay exclude each other"),
        (["--ixy-replay={0}/nope"], "does not exist"),
        (["--ixy-replay={0}/roles"], "is not a bundle"),
        (["--ixy-replay="], "--ixy-replay: is empty"),
        (["--ixy-replay={0}", "--ixy-replay={0}/x.gz"], "given twice"),
        (["--ixy-replay={0}/no\x1b", ""], "has a control character"),
        (["--ixy-replay", "{0}"], "--ixy-replay={0}"),
    ],
)
def test_a_wrong_question_is_a_usage_error(arguments, words, bundle, user):
    done = run(user, *[argument.format(bundle) for argument in arguments])
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert words.format(bundle) in done.stderr


def test_the_command_line_wins_over_a_repository_in_the_environment(bundle, user):
    done = run(user, f"--ixy-replay={bundle}", IXY_REPO="/does/not/exist")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(user, IXY_REPO="/does/not/exist", IXY_REPLAY=str(bundle))
    assert done.returncode == USAGE
    assert "IXY_REPO and IXY_REPLAY exclude each other" in done.stderr


def spoil(data, path, value):
    *parents, last = path
    for name in parents:
        data = data[name]
    data[last] = value


HOSTILE = {
    "label-control": (("target", "label"), "ixy\x1b[2J", "is not fit for a test id"),
    "label-newline": (("target", "label"), "ixy@0e00605\n", "is not fit for a test id"),
    "label-brackets": (("target", "label"), "a]::b[", "is not fit for a test id"),
    "label-long": (("target", "label"), "a" * 5000, "is not fit for a test id"),
    "label-empty": (("target", "label"), "", "is not fit for a test id"),
    "label-option": (("target", "label"), "--ixy-repo=x", "is not fit for a test id"),
    "capture": (("capture", "file"), "../../../etc/passwd", "is not in the bundle"),
    "capture-absolute": (("capture", "file"), "/etc/passwd", "is not in the bundle"),
    "capture-nul": (("capture", "file"), "a\0b", "is not in the bundle"),
    "build-log": (("builds", "fwd", "log"), "/etc/passwd", "is not in the bundle"),
    "role-log": (("roles", "fwd", "log"), "../x", "is not in the bundle"),
    "console": (("nodes", 0, "console"), "/etc/passwd", "is not in the bundle"),
    "console-long": (("nodes", 0, "console"), "x" * 300, "is not in the bundle"),
    "packets-none": (("packets",), None, "packets"),
    "packets-zero": (("packets",), 0, "packets: should be from 1"),
    "packets-negative": (("packets",), -(10**30), "packets: should be from 1"),
    "packets-absurd": (("packets",), 10**40, "packets: should be from 1"),
    "packets-word": (("packets",), "many", "packets"),
    "seconds": (("capture", "seconds"), float("nan"), "seconds"),
    "sent": (("nodes", 0, "nics", 0, "sent"), 10**4000, "should be less than"),
    "started": (("roles", "fwd", "started"), float("inf"), "started"),
    "format": (("format",), 2, "format 2 is not"),
    "scenario": (("scenario",), "\x1b]0;x\x07", "the trial was one of scenario '\\x1b]0;x\\x07'"),
    "unknown": (("evil\x1b",), 1, "Extra inputs"),
    "dialect": (("dialect",), {"name": "\x1b[31m", "template": "00"}, "'dialect.name' should match"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_a_usage_error(name, bundle, user):
    path, value, words = HOSTILE[name]
    data = json.loads((bundle / "manifest.json").read_text())
    spoil(data, path, value)
    (bundle / "manifest.json").write_text(json.dumps(data))
    done = run(user, f"--ixy-replay={bundle}")
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert words in done.stderr
    assert "\x1b" not in done.stderr


def test_a_manifest_that_would_block_or_fill_the_memory(bundle, user):
    (bundle / "manifest.json").unlink()
    os.mkfifo(bundle / "manifest.json")
    assert "is not a regular file" in run(user, f"--ixy-replay={bundle}").stderr
    (bundle / "manifest.json").unlink()
    with (bundle / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 40)
    assert "is larger than" in run(user, f"--ixy-replay={bundle}").stderr


def test_a_capture_that_is_a_link_out_of_the_bundle(bundle, user):
    (bundle / CAPTURE).unlink()
    (bundle / CAPTURE).symlink_to("/etc/passwd")
    done = run(user, f"--ixy-replay={bundle}")
    assert done.returncode == USAGE
    assert "is not in the bundle" in done.stderr


@pytest.mark.parametrize("argument", [".", CAPTURE, "roles/../."])
@pytest.mark.parametrize("path", [[], ["scenarios/forward"]], ids=["", "path"])
def test_the_bundles_folder_never_configures_pytest(argument, path, bundle, user):
    (bundle / "conftest.py").write_text("raise SystemExit('the bundle ran')")
    if not path:
        done = run(bundle, f"--ixy-replay={argument}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"rootdir: {bundle}\n" not in done.stdout
        assert "the bundle ran" not in done.stdout + done.stderr
    (bundle / "pytest.ini").write_text("[pytest]\nconsole_output_style = count\n")
    done = run(bundle, f"--ixy-replay={argument}", *path)
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert "which belongs to the bundle" in done.stderr


def test_a_moved_bundle_is_judged_alike(bundle, user, tmp_path):
    elsewhere = tmp_path / "some where" / "else"
    shutil.copytree(bundle, elsewhere)
    done = run(user, f"--ixy-replay={elsewhere}")
    assert done.returncode == 0
    assert f"replay: pytest '--ixy-replay={elsewhere}'" in done.stdout


def test_questions_to_pytest_need_no_bundle(user):
    assert run(user, "--help", IXY_REPLAY="/does/not/exist").returncode == 0
    assert "--ixy-replay" in run(user, "--help").stdout


def test_a_trial_that_proved_nothing_fails_whatever_is_selected(user, tmp_path):
    manifest = make_manifest(100, capture=CaptureRecord(file=None, timed_out=True))
    path = write(tmp_path / "b", manifest).path
    done = run(user, f"--ixy-replay={path}", "-k", "structure")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED


def lifecycle_bundle(tmp_path, numbers):
    event = Event(seconds=1.5, until=3.5, words="the links of fwd are down for 1 s", before=100, after=100)
    course = CourseRecord(words=event.words, name="link", events=(event,))
    made = make_bundle(tmp_path, map(ixy_frame, numbers), packets=3200, scenario="lifecycle", course=course)
    return made.path


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [([*range(100), *range(900, 4000)], "PASSED"), (range(100), "FAILED")],
    ids=["good", "bad"],
)
def test_a_trial_of_lifecycle_is_judged_again_and_other_cases_are_skipped(numbers, outcome, user, tmp_path):
    path = lifecycle_bundle(tmp_path, numbers)
    done = run(user, f"--ixy-replay={path}", "--ixy-scenario=lifecycle", "-rs")
    found = outcomes(done)
    name = "test_lifecycle[ixy@0e00605-link]"
    assert found.pop(name) == outcome, done.stdout
    assert set(found.values()) == {"SKIPPED"}
    assert "a replay has no lab, so there is not another trial" in done.stdout
    assert ("traffic does not flow again after the links" in done.stdout) is (outcome == "FAILED")


def test_a_soak_is_judged_again_from_its_bundle(user, tmp_path):
    """Of a role that ended early, and of which nothing else is on record."""
    gone = make_run("fwd", ended_itself=True, stopped_by=None, exit=Exit(status=3), ended=64.0)
    roles = {role: make_run(role, ended_itself=False) for role in ("pcap", "pktgen")} | {"fwd": gone}
    made = make_bundle(tmp_path, scenario="soak", roles=roles, capture=CaptureRecord(file=None))
    done = run(user, f"--ixy-replay={made.path}", "--ixy-scenario=soak")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    found = outcomes(done)
    failing = [name for name, outcome in found.items() if outcome == "FAILED"]
    assert failing == ["test_soak[ixy@0e00605-alive-fwd]"]
    assert "fwd ended by itself at 00:01:03, with status 3" in done.stdout
    assert found["test_soak[ixy@0e00605-rate]"] == "SKIPPED"
