"""Scenario lifecycle in real machines: the example stands it all, and a driver that never resets does not."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pytest_ixy.cases import CASES, KILLED, RESTART

ALL = {f"lifecycle-{case}" for case in CASES}
SCENARIO = ("--ixy-scenario=lifecycle", "--ixy-packets=20000", "--ixy-idle=2")
RESET = "        legacy_open(device);\n    virtio_reset(device);\n"


@pytest.fixture
def forgetful(target, programs, tmp_path):
    """The example, but its fwd takes the device as it finds it."""
    folder, sources = target(), tmp_path / "sources"
    shutil.copytree(programs, sources)
    source = sources / "virtio.c"
    text = source.read_text()
    assert text.count(RESET) == 1
    source.write_text(text.replace(RESET, "        legacy_open(device);\n"))
    (sources / "fwd").unlink()
    subprocess.run(["make", "-s", "LDFLAGS=-static", "fwd"], cwd=sources, check=True)
    shutil.copy(sources / "fwd", folder / "fwd")
    return folder


def test_the_example_stands_it_all_also_when_a_worker_runs_it(runner, target):
    result = runner.run(target(), *SCENARIO, "-n", "1")
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL


def test_a_driver_that_does_not_reset_its_device_cannot_take_over_from_one_that_was_killed(
    runner, forgetful, config
):
    result = runner.run(forgetful, *SCENARIO, f"--ixy-config={config}", "-k", f"{RESTART} or {KILLED}")
    assert result.outcomes == {f"lifecycle-{RESTART}": "passed", f"lifecycle-{KILLED}": "failure"}, (
        result.output
    )
    said = result.texts[f"lifecycle-{KILLED}"]
    assert "traffic does not flow again after fwd is killed and started again" in said
    assert "bundle: " in said
