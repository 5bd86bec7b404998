"""A testbed that is held after its run: visited, not swept, ended in each way that it can end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import PROGRAMS, leftovers
from pytest_ixy import paths
from pytest_ixy.sweep import processes

FEW = "--ixy-packets=2000"


class Held:
    """The testbeds of a runner, seen as a user sees them."""

    def __init__(self, runner):
        self.runner = runner
        self.state = Path(runner.environment["XDG_STATE_HOME"])

    def cli(self, *arguments, timeout=120):
        program = str(Path(sys.executable).with_name("pytest-ixy"))
        return subprocess.run(
            [program, *arguments], cwd=self.runner.folder, env=self.runner.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip

    def run(self, *arguments):
        """What a command prints; it must not fail."""
        done = self.cli(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def runs(self):
        return sorted(path.stem for path in (self.state / "pytest-ixy" / "ledgers").glob("*.jsonl"))


def tags(run):
    return [f"{run}-{part}" for part in ("holder", "net", *PROGRAMS)]


def alive(run):
    return {tag.removeprefix(f"{run}-") for tag in tags(run) if processes(tag)}


def until(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(held, run):
    return not alive(run) and not paths.scratch_folder(run).exists() and run not in held.runs


@pytest.fixture
def held(runner):
    made = Held(runner)
    yield made
    made.cli("release", "--all")


def test_a_held_testbed_is_visited_and_spared_until_it_is_released_or_killed(held, runner, target):
    folder = target(fwd="--drop-every 5")
    failed = runner.run(folder, FEW, "--ixy-set=loss.severity=fail", "--ixy-keep=failed")
    assert failed.returncode == 1, failed.output
    (first,) = held.runs
    assert f"ixy: the testbed of {first} is held until " in failed.output
    assert alive(first) == {"holder", "net", *PROGRAMS}

    command = re.search(r"^ixy:   fwd: (ssh .*)$", failed.output, re.MULTILINE)[1]
    (folder.parent / "home").mkdir()
    environment = {**os.environ, "HOME": str(folder.parent / "home")}
    pasted = subprocess.check_output(f"{command} id -un; uname", shell=True, env=environment, text=True)
    assert pasted == "ixy\nLinux\n"
    spoken = held.run("ssh", "fwd", "--", "pwd; id -un; echo $PCI_ADDR_FWD_SRC; pgrep -x fwd || echo stopped")
    assert spoken == "/home/ixy/target\nroot\n0000:00:06.0\nstopped\n"
    assert held.cli("ssh", "pcap", "--", "test -s $PCAP_OUT; exit 7").returncode == 7
    again = held.cli("ssh", "pktgen", "--", "timeout -s INT 2 ./pktgen $PCI_ADDR_PKTGEN")
    assert "ready: sending" in again.stdout
    logs = held.run("logs", "pktgen")
    assert "roles/pktgen.log <==" in logs
    assert "pktgen.console <==" in logs

    passed = runner.run(folder, FEW, "--ixy-keep=always", "--ixy-keep-for=1h")
    assert passed.returncode == 0, passed.output
    assert first in held.runs
    (second,) = set(held.runs) - {first}
    assert alive(first) == alive(second) == {"holder", "net", *PROGRAMS}
    assert held.run("status").count("held until") == 2
    assert "Several are held" in held.cli("release").stderr

    held.run("release", first)
    assert gone(held, first)
    assert held.run("ssh", "fwd", "--", "echo here") == "here\n"
    for holder in processes(f"{second}-holder"):
        os.kill(holder, signal.SIGKILL)
    until(lambda: not alive(second))
    assert held.run("status") == "No run goes on, and no testbed is held.\n"
    next_one = runner.run(folder, "--collect-only")
    assert f"swept what the killed run {second} left" in next_one.output
    assert gone(held, second)


def test_a_held_testbed_of_workers_ends_when_its_time_is_over(held, runner, target):
    result = runner.run(target(), FEW, "-n1", "--ixy-keep=always", "--ixy-keep-for=5s")
    assert result.returncode == 0, result.output
    (run,) = set(re.findall(r"the testbed of (\S+) is held until", result.output))
    until(lambda: gone(held, run))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_whoever_kills_pytest_gets_nothing_held(held, runner, target, number):
    process = runner.start(target(fwd="--hang-after 1000"), "--ixy-keep=always")
    until(lambda: any(runner.folder.glob("ixy-artifacts/*/roles/pktgen.log")), timeout=240)
    (run,) = held.runs
    assert alive(run) == {"holder", "net", *PROGRAMS}
    assert f"{run}: goes on" in held.run("status")
    assert f"{run} goes on" in held.cli("release", run).stderr
    os.kill(process.pid, number)
    process.wait(60)
    until(lambda: gone(held, run))


def test_what_ctrl_c_ends_is_held_on_demand(held, runner, target):
    process = runner.start(target(build=["sleep 60"]), "--ixy-keep=always")
    until(lambda: any(runner.folder.glob("ixy-artifacts/*/build/fwd.log")), timeout=240)
    os.kill(process.pid, signal.SIGINT)
    assert runner.finish(process, timeout=60).returncode == 2
    (run,) = held.runs
    assert held.run("ssh", "fwd", "--", "pgrep -x sleep || ls ixy-ci.toml") == "ixy-ci.toml\n"
    held.run("release")
    assert gone(held, run)
    assert leftovers(held.state) == []
