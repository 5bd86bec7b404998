"""Lost nodes, full disks, deadlines and the internet: each has a bound and a message."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest
from test_killed import Running, in_trial

from conftest import ALL
from pytest_ixy.sweep import processes


def test_a_node_that_dies_in_the_trial_is_a_lab_error(runner, target):
    running = Running(runner, runner.start(target(fwd="--hang-after 1000")))
    running.until(lambda: running.run is not None and in_trial(running))
    (pid,) = processes(f"{running.run}-fwd")
    os.kill(pid, signal.SIGKILL)
    result = runner.finish(running.process, timeout=120)
    assert len(result.having("error")) == 1, result.output
    assert result.having("failure") == set()
    (error,) = (result.texts[name] for name in result.having("error"))
    assert "lab error" in error
    assert "fwd" in error
    assert "Traceback" not in result.output


FILL = "n=0; while fallocate -l 200M filler$n; do n=$((n+1)); done; cat /dev/zero > rest"


def test_a_full_disk_of_a_node_is_a_lab_error(runner, target):
    result = runner.run(target(build=[FILL]))
    assert len(result.having("error")) == 1, result.output
    assert "is full" in result.texts["build-pktgen"]


def test_a_build_command_has_a_deadline(runner, target, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[timeouts]\nbuild = 3\nstop = 4\n")
    result = runner.run(target(build=["echo begun; sleep 300"]), f"--ixy-config={config}")
    assert result.having("failure") == {"build-pktgen", "build-fwd", "build-pcap"}, result.output
    assert "had not ended after" in result.texts["build-fwd"]
    assert "begun" in result.texts["build-fwd"]


@pytest.fixture
def listener():
    """A port of this host that guests see at 10.0.2.2, standing for the world outside."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept_all, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def accept_all(server):
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        return


@pytest.mark.parametrize("offline", [False, True])
def test_offline_cuts_the_guests_off(offline, runner, target, listener):
    build = [f"timeout 5 bash -c '</dev/tcp/10.0.2.2/{listener}'"]
    result = runner.run(target(build=build), "-k", "test_build", *["--ixy-offline"] * offline)
    built = {"build-pktgen", "build-fwd", "build-pcap"}
    assert result.having("failure" if offline else "passed") == built, result.output


def test_a_worker_that_crashes_leaves_errors_and_no_machines(runner, target):
    (runner.folder / "conftest.py").write_text("")
    (runner.folder / "test_own.py").write_text(
        "import os\ndef test_crash(ixy_build):\n    os._exit(9)\ndef test_after(ixy_bundle):\n    pass\n"
    )
    result = runner.run(target(), "-n", "1", "test_own.py")
    assert result.returncode == 1, result.output
    assert "crashed" in result.output
    assert "1 passed" not in result.output


def test_only_what_was_selected_is_provisioned(runner, target):
    result = runner.run(target(), "-k", "test_build and fwd")
    assert result.having("passed") == {"build-fwd"}
    assert not (result.bundle / "manifest.json").exists()
    assert set(result.outcomes) < ALL
