"""Scenario `frames` and what a target declares unsupported, seen from outside; no lab."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from frame_bundles import trial

from pytest_ixy.traffic.classes import CLASSES

ROLES = 'pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n'


def run(folder, *arguments):
    """Run pytest as a user does; each test's class and what it came to, and the output."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rs", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback (most" not in done.stdout + done.stderr, done.stdout + done.stderr
    found = re.findall(r"::test_frames\[[^@]+@[^-]+-([\w-]+)\] (PASSED|FAILED|SKIPPED|ERROR)", done.stdout)
    return done.returncode, dict(found), done.stdout + done.stderr


def replay(user, made, *arguments):
    return run(user, "--ixy-scenario=frames", f"--ixy-replay={made.path}", *arguments)


def test_a_replay_judges_the_class_that_is_on_record_and_skips_the_others(user, tmp_path):
    status, outcomes, output = replay(user, trial(tmp_path, "vlan"))
    assert status == 0, output
    assert outcomes == {name: "PASSED" if name == "vlan" else "SKIPPED" for name in CLASSES}
    assert "a replay has no lab, so there is not another trial" in output


def test_a_replay_fails_as_the_trial_did(user, tmp_path):
    made = trial(tmp_path, "sizes", lambda frames: [frame for frame in frames if len(frame) < 1514])
    status, outcomes, output = replay(user, made)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert outcomes["sizes"] == "FAILED"
    assert "sizes: of 1,455 frames 1 is lost\n" in output
    assert "lost: every frame of 1,514 bytes\n" in output


def test_a_trial_of_references_is_not_taken_for_one_of_the_target(user, tmp_path):
    made = trial(tmp_path, "vlan", course="frames vlan, references alone")
    assert replay(user, made)[1] == dict.fromkeys(CLASSES, "SKIPPED")


def test_what_was_sent_is_looked_for_in_the_bundle_only(user, tmp_path):
    made = trial(tmp_path, "vlan")
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"sent.pcap"', '"../sent.pcap"'))
    status, _, output = replay(user, made)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "'../sent.pcap' is not in the bundle" in output


def test_a_replay_knows_what_was_unsupported(user, tmp_path):
    made = trial(tmp_path, "vlan", unsupported={"frames": ("qinq",)})
    _, outcomes, output = replay(user, made)
    assert outcomes["qinq"] == "SKIPPED"
    assert "declared unsupported in ixy-ci.toml" in output


def test_what_is_unsupported_is_skipped_before_anything_is_provisioned(user):
    target = user / "driver"
    target.mkdir()
    (target / "ixy-ci.toml").write_text(ROLES + '[unsupported]\nframes = ["vlan", "qinq"]\n')
    chosen = ["-k", "vlan and not 1518 or qinq"]
    status, outcomes, output = run(user, "--ixy-scenario=frames", f"--ixy-repo={target}", *chosen)
    assert status == 0, output
    assert outcomes == {"vlan": "SKIPPED", "qinq": "SKIPPED"}
    assert output.count("declared unsupported in ixy-ci.toml") == 1
    assert "restoring" not in output
