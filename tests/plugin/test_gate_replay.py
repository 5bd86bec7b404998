"""The gate reads what scenario `teravm` writes: ids, outcomes, retries, the build, the time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytest_ixy import cli
from pytest_ixy.ng40 import folder
from pytest_ixy.ng40.records import CaseRecord, Expected, LabRecord, ListRecord, Step

CASES = (
    CaseRecord(name="4G", verdict="PASS", planned=True),
    CaseRecord(name="5G-A.B", verdict="FAIL", planned=True, again="PASS"),
    CaseRecord(name="6G", verdict="INCONC", planned=True),
    CaseRecord(name="7G", planned=True),
)


@pytest.fixture
def report(tmp_path, monkeypatch):
    """The report of a run of two days ago, judged again now."""
    began = datetime.now(UTC) - timedelta(days=2)
    steps = [
        Step(name=name, outcome="passed", title="", started=began, seconds=1) for name in ("lease", "idle")
    ]
    ran = ListRecord(
        name="smoke", file="smoke.ntl", end="finished", verdict="FAIL", cases=CASES, started=began, seconds=1
    )
    known = {"smoke": Expected(cases=tuple(case.name for case in CASES), source="config")}
    record = LabRecord(
        lab="lab", run="r", tag="latest", version="1.7.0-1634668331-66d9b7be",
        asked=("lease", "idle", "list-smoke"), steps=tuple(steps), lists=(ran,), expected=known,
        started=began, over=True,
    )  # fmt: skip
    folder.write(tmp_path / "bundle", record)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ixy-scenario=teravm"]
    subprocess.run([*command, "--ixy-replay=bundle", "--junitxml=report.xml"], check=False)
    return ["gate", "--junit", "report.xml"]


def test_a_run_of_a_lab_through_the_gate(report, capfd):
    assert cli.main([*report, "--require=teravm/*", "--flaky=*/5G-A.B", "--inconclusive=*/6G"]) == 1
    said = [line.split()[:2] for line in capfd.readouterr().out.splitlines()]
    closing = said[said.index(["closed:", "1"]) :]
    assert closing[1:] == [
        ["error", "teravm/smoke/7G"],
        ["flaky", "teravm/smoke/5G-A.B"],
        ["inconclusive", "teravm/smoke/6G"],
    ]
    fine = ["--require=teravm/lease", "--require=teravm/rules/*", "--require=*/4G"]
    assert cli.main([*report, *fine, "--about=ixy.version=*-66d9b7be", "--max-age=3d"]) == 0
    assert cli.main([*report, *fine, "--about=ixy.version=*-00000000"]) == 1
    assert cli.main([*report, *fine, "--max-age=1d"]) == 1
    assert "older than 1d" in capfd.readouterr().out
