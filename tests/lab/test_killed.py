"""However a run ends, nothing of it stays: Ctrl-C, SIGTERM, and SIGKILL followed by a sweep."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import leftovers
from pytest_ixy import paths
from pytest_ixy.sweep import processes

SLOW_BUILD = ["sleep 60"]


class Running:
    """A pytest under way, seen through its ledger."""

    def __init__(self, runner, process):
        self.runner, self.process = runner, process
        self.state = Path(runner.environment["XDG_STATE_HOME"])

    @property
    def run(self):
        return next((path.stem for path in (self.state / "pytest-ixy" / "ledgers").glob("*.jsonl")), None)

    def tags(self):
        return [f"{self.run}-{part}" for part in ("net", "boot", "pcap", "fwd", "pktgen")]

    def alive(self):
        return {tag.rsplit("-", 1)[1] for tag in self.tags() if processes(tag)}

    def until(self, condition, timeout=240):
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.process.poll() is None, self.runner.output
            assert time.monotonic() < deadline, self.runner.output
            time.sleep(0.05)

    def log_exists(self, pattern):
        return any((self.runner.folder / "ixy-artifacts").glob(pattern))


def in_boot(running):
    return "boot" in running.alive()


def in_build(running):
    return running.log_exists("*/build/fwd.log")


def in_trial(running):
    return running.log_exists("*/roles/pktgen.log")


@pytest.fixture
def odd_memory():
    """A size of memory that nothing is saved for, so that a machine has to boot; forgotten afterwards."""
    before = set(paths.images_folder().glob("*/state-*"))
    yield "1777"
    for made in set(paths.images_folder().glob("*/state-*")) - before:
        shutil.rmtree(made) if made.is_dir() else made.unlink()


def start(runner, target, phase, memory):
    build = SLOW_BUILD if phase is in_build else ["sudo ./setup-hugepages.sh"]
    arguments = [f"--ixy-memory={memory}"] if phase is in_boot else []
    running = Running(runner, runner.start(target(build=build, fwd="--hang-after 1000"), *arguments))
    running.until(lambda: running.run is not None and phase(running))
    return running


@pytest.mark.parametrize("phase", [in_boot, in_build, in_trial])
def test_after_sigkill_nothing_runs_and_a_sweep_removes_the_rest(phase, runner, target, odd_memory):
    running = start(runner, target, phase, odd_memory)
    run, tags = running.run, running.tags()
    assert running.alive()
    running.process.kill()
    running.process.wait()
    deadline = time.monotonic() + 20
    while any(processes(tag) for tag in tags):
        assert time.monotonic() < deadline, "machines outlive their pytest"
        time.sleep(0.05)
    assert paths.scratch_folder(run).exists()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pytest-ixy")), "sweep"],
        env=runner.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run in done.stdout + done.stderr
    assert not paths.scratch_folder(run).exists()


def test_the_next_run_sweeps_what_a_killed_one_left(runner, target, odd_memory):
    running = start(runner, target, in_build, odd_memory)
    run = running.run
    running.process.kill()
    running.process.wait()
    shutil.rmtree(runner.folder / "ixy-artifacts")
    result = runner.run(runner.folder.parent / "target", "--collect-only")
    assert f"swept what the killed run {run} left" in result.output
    assert not paths.scratch_folder(run).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("phase", [in_build, in_trial])
def test_after_an_interrupt_the_reports_exist_and_nothing_is_left(phase, number, runner, target, odd_memory):
    running = start(runner, target, phase, odd_memory)
    run, tags = running.run, running.tags()
    os.kill(running.process.pid, number)
    result = runner.finish(running.process, timeout=60)
    assert result.returncode == 2, result.output
    assert (runner.folder / "report.html").exists()
    assert (runner.folder / "report.xml").exists()
    assert not any(processes(tag) for tag in tags)
    assert not paths.scratch_folder(run).exists()
    assert leftovers(runner.folder.parent / "state") == []
