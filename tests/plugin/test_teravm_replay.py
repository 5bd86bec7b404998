"""Scenario `teravm` judged again from what a lab left: ids, outcomes and reports, without any lab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from pytest_ixy.ng40 import folder
from pytest_ixy.ng40.records import CaseRecord, Expected, LabRecord, ListRecord, Loss, Step
from pytest_ixy.startup import scenarios_folder

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
STEPS = ("lease", "tag", "upgrade-agw", "health-agw", "idle")
DEAD = (Loss(direction="DL", between="AS_PktTx-S1uPktRx", packets=185, percent=100.0),)
BROKEN, EVIL = "4G_M2AS_UDP", "<script>alert(1)</script>"


@pytest.fixture
def bundle(tmp_path):
    """A run in which about everything happened."""
    cases = (
        CaseRecord(name="Attach-1.0", verdict="PASS", planned=True, losses=DEAD),
        CaseRecord(name=BROKEN, verdict="FAIL", planned=True, again="PASS", seconds=3.0),
        CaseRecord(name="Idle", verdict="INCONC", planned=True),
        CaseRecord(name="Late", planned=True),
        CaseRecord(name="Stranger", verdict="PASS"),
    )
    steps = [
        Step(name=name, outcome="passed", title="well", started=NOW, seconds=1.0, notes=(EVIL,))
        for name in STEPS
    ]
    ran = ListRecord(
        name="basic", file="basic.ntl", end="finished", verdict="FAIL", cases=cases, status=0,
        log="lists/basic.log", flaws=(EVIL,), started=NOW, seconds=9.0,
    )  # fmt: skip
    second = ran.model_copy(
        update={"name": "more", "end": "silence", "words": "silent for 30 s", "cases": (), "verdict": None}
    )
    record = LabRecord(
        lab="lab1", run="r", tag="latest", version="1.7.0-1634668331-66d9b7be", started=NOW, over=True,
        asked=(*STEPS, "list-basic", "list-more"), steps=tuple(steps), lists=(ran, second),
        expected={
            "basic": Expected(cases=("Attach-1.0", BROKEN, "Idle", "Late"), source="config"),
            "more": Expected(cases=("Other",), source="config"),
        },
        hosts={"agw": "magma@agw:22"}, config="/lab.toml",
    )  # fmt: skip
    path = tmp_path / "bundle"
    folder.write(path, record)
    (path / "lists").mkdir()
    (path / "lists/basic.log").write_text("Verdict(...)\n")
    return path


def run(where, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *map(str, arguments)],
        cwd=where, env={**os.environ, "PATH": "", **environment},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "Traceback (most" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done


EXPECTED = {
    **{f"test_step[lab1-{name}]": "PASSED" for name in STEPS},
    "test_list[lab1-basic]": "PASSED",
    "test_case[lab1-basic-Attach-1.0]": "PASSED",
    f"test_case[lab1-basic-{BROKEN}]": "FAILED",
    "test_case[lab1-basic-Idle]": "INCONCLUSIVE",
    "test_case[lab1-basic-Late]": "ERROR",
    "test_case[lab1-basic-Stranger]": "PASSED",
    "test_list[lab1-more]": "ERROR",
    "test_case[lab1-more-Other]": "ERROR",
    "test_rule[lab1-user-plane]": "REPORTED",
    "test_rule[lab1-output]": "REPORTED",
}


def test_every_step_list_and_case_is_a_test(bundle, user):
    done = run(user, "--ixy-scenario=teravm", f"--ixy-replay={bundle}", "--html=r.html", "--junitxml=r.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    found = re.findall(r"::(test_\w+\[\S+\]) ([A-Z]{2,})", done.stdout.partition("=== FAILURES")[0])
    assert dict(found) == EXPECTED, done.stdout
    assert list(dict(found)) == list(EXPECTED)
    assert "verdict FAIL in the list; PASS when it was run once more, alone" in done.stdout
    assert "basic/Idle: verdict INCONC" in done.stdout
    assert f"pytest --ixy-scenario=teravm --ixy-replay={bundle}" in done.stdout
    assert "--ixy-config=/lab.toml --ixy-tag=66d9b7be" in done.stdout
    page = (user / "r.html").read_text()
    assert EVIL not in page
    assert "AS_PktTx" in page
    suite = ET.parse(user / "r.xml").getroot()
    told = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in suite.iter("testcase")
    }
    assert told[f"test_case[lab1-basic-{BROKEN}]"] == {
        "ixy.id": f"teravm/basic/{BROKEN}", "ixy.outcome": "failed", "ixy.again": "PASS",
    }  # fmt: skip
    assert told["test_step[lab1-lease]"] == {"ixy.id": "teravm/lease", "ixy.outcome": "passed"}
    assert told["test_rule[lab1-user-plane]"]["ixy.id"] == "teravm/rules/user-plane"
    assert told["test_case[lab1-basic-Idle]"]["ixy.outcome"] == "inconclusive"
    whole = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert whole["ixy.version"] == "1.7.0-1634668331-66d9b7be"


def test_a_list_of_which_nobody_knows_a_case_is_still_a_test(bundle, user):
    record = folder.load(bundle)
    unknown = [one.model_copy(update={"cases": ()}) for one in record.lists]
    folder.write(bundle, record.model_copy(update={"expected": {}, "lists": tuple(unknown)}))
    done = run(user, "--ixy-scenario=teravm", f"--ixy-replay={bundle}")
    assert done.returncode == 1, done.stdout
    assert "test_list[lab1-basic] ERROR" in done.stdout
    assert "test_case" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ixy-repo=x"], "tests a lab, not a repository"),
        (["--ixy-keep=always"], "--ixy-keep means nothing in scenario teravm"),
        (["--ixy-provider=openstack"], "--ixy-provider=openstack makes no machines for scenario teravm"),
        (["-n2"], "leave -n out"),
        ([], r"needs a table [lab] in config.toml"),
        (["--ixy-config=lab.toml", "--ixy-tag=v1.7"], "'v1.7' names no build"),
        (["--ixy-replay=."], "is no bundle of scenario teravm"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_done(arguments, words, user):
    (user / "lab.toml").write_text(
        '[lab.agw]\nhost = "agw"\n[lab.ng40]\nhost = "ng40"\n[[lab.lists]]\nfile = "basic.ntl"\n'
    )
    done = run(user, "--ixy-scenario=teravm", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert words in done.stderr + done.stdout


def test_the_bundle_of_a_lab_is_not_taken_for_one_of_packets(bundle, user):
    done = run(user, f"--ixy-replay={bundle}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "give --ixy-scenario=teravm" in done.stderr


def test_the_labs_tests_are_skipped_where_there_is_none(user):
    done = run(user, scenarios_folder() / "teravm", "-rs", CI="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 skipped" in done.stdout
    assert "or --ixy-scenario=teravm with a lab" in done.stdout


def test_a_run_that_was_interrupted_is_not_called_passed(bundle, user):
    (user / "stopper.py").write_text(
        "def pytest_runtest_call(item):\n    if 'health' in item.name:\n        raise KeyboardInterrupt\n"
    )
    done = run(
        user, "--ixy-scenario=teravm", f"--ixy-replay={bundle}", "-p", "stopper", "--junitxml=r.xml",
        PYTHONPATH=str(user),
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "lab1: error (3 passed, interrupted)" in done.stdout
    whole = {one.get("name"): one.get("value") for one in ET.parse(user / "r.xml").iter("property")}
    assert whole["ixy.verdict"] == "error"
