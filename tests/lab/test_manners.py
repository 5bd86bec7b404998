"""The ways in which people run pytest, with real machines behind."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime

from conftest import ALL

PACKETS = "--ixy-packets=5000"


def test_with_xdist_one_worker_runs_the_trial_and_the_result_is_the_same(runner, target):
    result = runner.run(target(), PACKETS, "-n", "2")
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL
    assert result.bundle.name in (runner.folder / "report.html").read_text()


def test_with_xdist_a_lab_error_is_reported_once(runner, target, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[timeouts]\nconnect = 1\n")
    result = runner.run(target(), "-n", "2", f"--ixy-config={config}", "--ixy-memory=1778")
    assert len(result.having("error")) == 1, result.output
    assert len(result.having("skipped")) == len(ALL) - 1
    assert result.returncode == 1


def test_a_lab_error_is_reported_once_with_its_cause_and_the_rest_is_skipped(runner, target, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[timeouts]\nconnect = 1\n")
    result = runner.run(target(), f"--ixy-config={config}", "--ixy-memory=1778")
    assert result.having("error") == {"build-pktgen"}, result.output
    assert result.having("skipped") == ALL - {"build-pktgen"}
    assert "lab error" in result.texts["build-pktgen"]
    assert "Traceback" not in result.output
    assert result.returncode == 1


def test_x_stops_at_the_first_failure_and_still_takes_everything_down(runner, target, config):
    result = runner.run(target(fwd="--corrupt-byte 42:70"), PACKETS, "-x", f"--ixy-config={config}")
    assert result.having("failure") == {"capture-structure"}
    assert "capture-exits" not in result.outcomes


def test_a_users_own_scenario_needs_nothing_but_the_fixtures(runner, target):
    (runner.folder / "test_own.py").write_text(
        textwrap.dedent('''
        from pytest_ixy.rules import judge

        def test_two_trials_on_one_testbed(ixy_trial):
            """The second trial sees nothing of the first."""
            for _ in range(2):
                findings = judge(ixy_trial(packets=3000))
                assert [finding.title for finding in findings if finding.failed] == []

        def test_commit(ixy_target, ixy_testbed):
            assert ixy_target.record.dirty
            assert len(ixy_testbed.nodes) == 3
        ''')
    )
    result = runner.run(target(), "test_own.py")
    assert result.returncode == 0, result.output
    assert "2 passed" in result.output
    assert len(list((runner.folder / "ixy-artifacts").iterdir())) == 2


def within(manifest, name):
    """When a phase began and ended, in seconds since the trial began, a little widened for roundings."""
    began = datetime.fromisoformat(manifest["started"])
    (phase,) = [phase for phase in manifest["phases"] if phase["name"] == name]
    start = (datetime.fromisoformat(phase["started"]) - began).total_seconds()
    return start - 0.1, start + phase["seconds"] + 0.1


def test_the_bundle_holds_all_that_is_known(runner, target, monkeypatch):
    summary = runner.folder / "summary.md"
    runner.environment["GITHUB_STEP_SUMMARY"] = str(summary)
    result = runner.run(target(), PACKETS)
    manifest = json.loads((result.bundle / "manifest.json").read_text())
    assert manifest["provider"]["accelerator"] in {"kvm", "tcg"}
    assert manifest["packets"] == 5000
    assert {node["name"] for node in manifest["nodes"]} == {"pktgen", "fwd", "pcap"}
    assert {phase["name"] for phase in manifest["phases"]} >= {
        "clone",
        "restore",
        "build",
        "capture",
        "fetch",
    }
    assert manifest["roles"]["pcap"]["environment"]["PCAP_N"] == "5000"
    starting, _ = within(manifest, "start")
    _, stopped = within(manifest, "stop")
    for role in manifest["roles"].values():
        assert starting <= role["started"] < role["ended"] <= stopped
    assert (result.bundle / "capture.pcap").stat().st_size == 24 + 5000 * 76
    for name in ("pktgen", "fwd", "pcap"):
        assert (result.bundle / "roles" / f"{name}.log").exists()
        assert (result.bundle / "consoles" / f"{name}.log").exists()
    assert "diff --git" in (result.bundle / "target.diff").read_text() or manifest["target"]["dirty"]
    assert "sequence-bounds" in summary.read_text()
    xml = (runner.folder / "report.xml").read_text()
    assert all(
        f"ixy.{name}" in xml for name in ("commit", "provider", "accelerator", "packets", "loss", "rate")
    )
