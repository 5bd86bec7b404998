"""Two targets at once, each on machines of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time

from conftest import ALL, PROGRAMS, leftovers
from pytest_ixy.sweep import processes

PACKETS = "--ixy-packets=5000"


def until(condition, process=None, timeout=240):
    deadline = time.monotonic() + timeout
    while not condition():
        assert process is None or process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_targets_at_once_and_nothing_is_left_of_them_when_the_controller_is_killed(runner, target):
    first = target()
    second = first.with_name("second")
    shutil.copytree(first, second)
    both = [PACKETS, f"--ixy-repo={second}", "-n2"]
    result = runner.run(first, *both)
    assert result.returncode == 0, result.output
    for name in ("target", "second"):
        assert re.search(rf"^{name}@\w+\+dirty: passed \({len(ALL)} passed\)$", result.output, re.MULTILINE)
        (bundle,) = runner.folder.glob(f"ixy-artifacts/*-{name}-*")
        assert f"{name}@" in (bundle / "manifest.json").read_text()

    shutil.rmtree(runner.folder / "ixy-artifacts")
    for folder in (first, second):
        toml = folder / "ixy-ci.toml"
        toml.write_text(toml.read_text().replace("$PCI_ADDR_FWD_DST", "$PCI_ADDR_FWD_DST --hang-after 1000"))
    process = runner.start(first, *both)
    until(lambda: len(list(runner.folder.glob("ixy-artifacts/*/roles/pktgen.log"))) == 2, process)
    state = first.parent / "state"
    runs = [path.stem for path in (state / "pytest-ixy" / "ledgers").glob("*.jsonl")]
    tags = [f"{run}-{part}" for run in runs for part in ("holder", "net", *PROGRAMS)]
    assert len(runs) == 2
    assert all(processes(tag) for tag in tags)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: leftovers(state) == [] and not any(map(processes, tags)), timeout=30)
