"""Real machines: pytest is run as a user runs it, on copies of the example target."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_ixy import paths
from pytest_ixy.rules import rules
from pytest_ixy.sweep import processes, sweep

EXAMPLE = Path(__file__).parents[2] / "examples" / "virtio"
PROGRAMS = ("pktgen", "fwd", "pcap")
RULES = tuple(rules())
ALL = {f"{test}-{role}" for test in ("build", "role") for role in PROGRAMS} | {
    f"capture-{rule}" for rule in RULES
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("lab")


@dataclass(frozen=True)
class Result:
    """What a run of pytest left: outcomes by short name, such as `capture-count` or `role-fwd`."""

    returncode: int
    output: str
    outcomes: dict[str, str]
    texts: dict[str, str]
    folder: Path

    def having(self, outcome):
        return {name for name, found in self.outcomes.items() if found == outcome}

    @property
    def bundle(self):
        (found,) = (self.folder / "ixy-artifacts").iterdir()
        return found


def parse(folder, returncode, output):
    outcomes, texts = {}, {}
    report = folder / "report.xml"
    for case in ET.parse(report).iter("testcase") if report.exists() else ():
        name = case.get("name").removeprefix("test_")
        short = re.sub(r"\[.*@[0-9a-f]{7}(\+dirty)?(~(virtio-modern|[a-z0-9]+))?-(.*)\]$", r"-\4", name)
        kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        outcomes[short] = kinds[0] if kinds else "passed"
        texts[short] = "\n".join(
            f"{child.get('message')}\n{child.text}"
            for child in case
            if child.tag in {"failure", "error", "skipped"}
        )
    return Result(returncode, output, outcomes, texts, folder)


class Runner:
    """Runs pytest in a folder of its own, with the user's cache of images."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        self.environment = {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"}
        self.environment["IXY_LOCALISE"] = "never"  # most tests are about one trial
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "GITHUB_STEP_SUMMARY"):
            self.environment.pop(name, None)

    def command(self, target, *arguments):
        return [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v",
            *([] if target is None else [f"--ixy-repo={target}"]),
            "--junitxml=report.xml", "--html=report.html", "--self-contained-html", *arguments,
        ]  # fmt: skip

    def start(self, target, *arguments):
        (self.folder / "output.txt").unlink(missing_ok=True)
        with (self.folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                self.command(target, *arguments),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def end(self):
        """End what a test that failed has left running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @property
    def output(self):
        return (self.folder / "output.txt").read_text("utf-8", "replace")

    def finish(self, process, timeout=500):
        process.wait(timeout)
        return parse(self.folder, process.returncode, self.output)

    def run(self, target, *arguments, timeout=500):
        return self.finish(self.start(target, *arguments), timeout)

    def until(self, text, process, timeout=300):
        """Wait until the output has `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.output:
            assert process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A runner whose runs must leave nothing behind."""
    folder = tmp_path / "user"
    folder.mkdir()
    state = tmp_path / "state"
    (state / "pytest-ixy").mkdir(parents=True)
    for known in paths.state_folder().glob("kvm-*.json"):  # to find out takes seconds
        shutil.copy(known, state / "pytest-ixy")
    made = Runner(folder, state)
    yield made
    made.end()
    found = leftovers(state)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    list(sweep())
    assert found == []


def leftovers(state):
    """Ledgers, and the processes and scratch folders that they or any run's name speak of."""
    ledgers = list((state / "pytest-ixy" / "ledgers").glob("*.jsonl"))
    found = [str(ledger) for ledger in ledgers]
    for run in [ledger.stem for ledger in ledgers]:
        for part in ("holder", "net", "boot", *PROGRAMS):
            found += [f"process {pid}: {run}-{part}" for pid in processes(f"{run}-{part}")]
    return found + [str(path) for path in scratch_of(state)]


def scratch_of(state):
    """Scratch folders of runs whose ledger is, or was, in `state`."""
    mine = {ledger.stem for ledger in (state / "pytest-ixy" / "ledgers").glob("*.jsonl")}
    root = paths.scratch_folder("any").parent
    return [path for path in root.glob("*") if path.name in mine]


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The example's programs, built on this host and linked statically, so that they run on nodes."""
    folder = tmp_path_factory.mktemp("programs")
    for file in subprocess.check_output(["git", "ls-files"], cwd=EXAMPLE, text=True).split():
        shutil.copy(EXAMPLE / file, folder / file)
    subprocess.run(["make", "-s", "LDFLAGS=-static", *PROGRAMS], cwd=folder, check=True)
    return folder


@pytest.fixture
def target(tmp_path, programs):
    """Makes a target of the built programs: `target(fwd="--drop-every 2", build=["false"])`."""

    def make(build=("sudo ./setup-hugepages.sh",), **switches):
        folder = tmp_path / "target"
        folder.mkdir()
        for name in (*PROGRAMS, "setup-hugepages.sh"):
            shutil.copy(programs / name, folder / name)
        lines = [f"build = {list(build)!r}"]
        arguments = {
            "pktgen": "$PCI_ADDR_PKTGEN --rate 25000",
            "fwd": "$PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST",
            "pcap": "$PCI_ADDR_PCAP $PCAP_OUT $PCAP_N",
        }
        lines += [f'{role} = "./{role} {arguments[role]} {switches.get(role, "")}"' for role in PROGRAMS]
        lines += ["[ready]", 'fwd = "^ready: forwarding"', 'pcap = "^ready: listening"']
        lines += ["[dialect]", 'name = "c"']
        (folder / "ixy-ci.toml").write_text("\n".join(lines) + "\n")
        return folder

    return make


@pytest.fixture
def config(tmp_path):
    """A config.toml whose deadlines suit a target that is known to fail."""
    path = tmp_path / "config.toml"
    path.write_text("[timeouts]\ncapture = 8\nstop = 4\n")
    return path
