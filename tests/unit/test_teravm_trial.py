"""A run of a lab keeps what it has, and does nothing twice; no lab is reached here."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from pytest_ixy import settings, testbed
from pytest_ixy.errors import UsageError
from pytest_ixy.ng40 import folder
from pytest_ixy.ng40.records import CaseRecord, ListRecord
from pytest_ixy.progress import Progress
from pytest_ixy.teravm import connect
from pytest_ixy.teravm.done import Done
from pytest_ixy.teravm.trial import LabTrial

LAB = """
[lab]
user = "lab"
agw = {host = "127.0.0.1", port = 1}
ng40 = {host = "127.0.0.1", port = 1}
connect = {kind = "command", up = ["sh", "-c", "sleep 1; echo wrong password; exit 7"]}
lists = [{file = "basic.ntl", cases = ["A"], retry = true}, {file = "more.ntl", cases = ["B"]}]
[timeouts]
connect = 2
"""
RAN = ListRecord(
    name="basic", file="basic.ntl", end="finished", verdict="FAIL",
    cases=(CaseRecord(name="A", verdict="FAIL"),), started=datetime.now(UTC), seconds=1.0,
)  # fmt: skip


@pytest.fixture
def trial(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "lab.toml").write_text(LAB)
    given = {
        "scenario": "teravm",
        "config": str(tmp_path / "lab.toml"),
        "artifacts": str(tmp_path / "artifacts"),
    }
    asked = settings.resolve(cli=given, environ={}, ini={})
    space = testbed.Workspace("run-trial")
    quiet = Progress(lambda _text: None, lambda _text: None)
    trial = LabTrial(asked, space, tmp_path / "bundle", quiet)
    yield trial
    assert trial.close() == []


def test_a_tag_that_names_no_build_is_refused_before_anything_is_done(trial):
    asked = dataclasses.replace(trial._settings, tag="master")
    with pytest.raises(UsageError, match=r"'master' names no build"):
        LabTrial(asked, trial._space, trial.folder, trial._progress)
    assert not trial.folder.exists()


def test_a_step_that_fails_by_a_flaw_of_ours_is_an_error_and_is_not_done_again(trial):
    calls = []

    def flawed(_log):
        calls.append(1)
        raise ValueError("a flaw")

    trial._work = {"lease": flawed, "idle": flawed}
    for _ in range(3):
        trial.testlist("more")
    (step,) = trial.record.steps
    assert (calls, step.outcome) == ([1], "error")
    assert "ValueError('a flaw')" in step.title
    assert "Traceback" in step.message


def test_a_vpn_that_is_gone_is_told_in_the_place_of_a_host_that_cannot_be_reached(trial, monkeypatch):
    monkeypatch.setattr(connect, "SETTLED", 0.1)
    trial.testlist("basic")
    told, lost = trial.record.steps
    assert (told.name, told.outcome, lost.name, lost.outcome) == ("connect", "passed", "lease", "error")
    assert lost.title == "The connection to the lab is gone: sh ended with status 7"
    assert lost.message == "wrong password"


def test_the_verdicts_of_a_list_are_kept_when_its_retry_is_interrupted(trial, monkeypatch):
    def interrupted(_asked, _ran):
        raise KeyboardInterrupt

    trial._work = {"idle": lambda _log: Done("well")}
    monkeypatch.setattr(trial._lab, "run", lambda *_, **__: RAN)
    monkeypatch.setattr(trial._lab, "again", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trial.testlist("basic")
    assert folder.load(trial.folder).lists == (RAN,)
