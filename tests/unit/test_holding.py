"""The holder: a real process with a real ledger, and a small provider whose machines are processes."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import subprocess
import sys
import textwrap

import pytest
from sshd import until

from pytest_ixy import ledger, paths, runs
from pytest_ixy.errors import LabError
from pytest_ixy.holding.owner import HoldingOwner, tag
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import resolve
from pytest_ixy.sweep import processes, sweep
from pytest_ixy.testbed import Workspace
from pytest_ixy.topology import PciAddresses, forward_topology

TINY = """
import os, subprocess, sys
from pytest_ixy import programs
from pytest_ixy.bundle import NodeRecord, ProviderRecord
from pytest_ixy.errors import LabError
from pytest_ixy.providers.base import Testbed

class Tiny:
    def __init__(self):
        self.machines, self.stuck = [], False

    def check(self, settings):
        pass

    def provision(self, topology, settings, book, scratch, progress):
        with progress.phase("boot"):
            progress.tell("soon")
            progress.say("a line that stays")
            book.intend("process", f"{book.run}-vm")
            command = [sys.executable, "-c", "import time; time.sleep(600)", f"{book.run}-vm"]
            self.machines.append(subprocess.Popen(programs.bound(command)))
        self.stuck = settings.packets == 5
        if settings.packets == 1:
            raise LabError("no machine", hint="buy one")
        if settings.packets == 4:
            raise ZeroDivisionError("a mistake")
        if settings.packets == 2:
            (scratch / "waiting").touch()
            self.machines[-1].wait()
        record = ProviderRecord(name="tiny", version=str(self.machines[-1].pid))
        return Testbed(book.run, topology, record, (NodeRecord(name="fwd", nics=()),), {})

    def destroy(self):
        for machine in self.machines:
            machine.kill()
            machine.wait()
        self.machines = []
        return ["it is stuck"] if self.stuck else []
"""

OWNER = """
import sys
from pytest_ixy import keeping, runs
from pytest_ixy.holding.owner import HoldingOwner
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import resolve
from pytest_ixy.testbed import Workspace
from pytest_ixy.topology import forward_topology
from pathlib import Path

settings = resolve(cli={"provider": "tiny", "packets": sys.argv[2]}, environ={}, ini={})
owner = HoldingOwner(Workspace(sys.argv[1]), registry.load("tiny"))
print("begun", flush=True)
made = owner.provision(forward_topology(settings.pci), settings, Progress())
keeping.open_doors(owner.workspace, made, Path("folder"))
print("ready", flush=True)
if seconds := sys.stdin.readline():
    owner.hold(float(seconds))
"""


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """Homes of its own, and a distribution that brings the provider `tiny`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = tmp_path / "site"
    (site / "tiny-1.dist-info").mkdir(parents=True)
    (site / "tiny.py").write_text(TINY)
    (site / "tiny-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
    (site / "tiny-1.dist-info/entry_points.txt").write_text("[pytest_ixy.providers]\ntiny = tiny:Tiny\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def name():
    return f"hold-test-{secrets.token_hex(6)}"


def settings(packets=3):
    return resolve(cli={"provider": "tiny", "packets": str(packets)}, environ={}, ini={})


@pytest.fixture
def owner(name):
    made = HoldingOwner(Workspace(name), registry.load("tiny"))
    yield made
    made.release()


def provision(owner, packets=3, progress=None):
    made = owner.provision(forward_topology(PciAddresses()), settings(packets), progress or Progress())
    assert until(lambda: len(processes(f"{made.run}-vm")) == 1)  # it goes by its name once exec has been
    return made


def alive(name):
    return {part for part in ("holder", "vm") if processes(f"{name}-{part}")}


def nothing_left(name):
    return (
        not alive(name)
        and not paths.scratch_folder(name).exists()
        and not list(paths.ledgers_folder().iterdir())
    )


def test_the_holder_provisions_and_tells_how_it_goes(owner, name):
    steps, lines = [], []
    progress = Progress(steps.append, lines.append)
    made = provision(owner, progress=progress)
    assert (made.run, made.record.name) == (name, "tiny")
    assert [phase.name for phase in progress.phases] == ["boot"]
    assert [step.detail for step in steps] == ["", "soon", ""]
    assert lines == ["a line that stays"]
    assert alive(name) == {"holder", "vm"}
    assert owner.release() == []
    assert nothing_left(name)


def test_what_cannot_be_provisioned_is_told_and_unmade(owner, name):
    with pytest.raises(LabError, match="no machine") as caught:
        provision(owner, packets=1)
    assert caught.value.hint == "buy one"
    assert alive(name) == {"holder"}
    assert not owner.made
    assert owner.release() == []
    assert nothing_left(name)


def test_all_that_can_be_set_reaches_the_holder(tmp_path):
    (tmp_path / "config.toml").write_text('[openstack]\npassword = "p"\n[rules.order]\nseverity = "fail"\n')
    cli = {"config": "config.toml", "dialect": "rust", "role": ["pcap=reference"], "keep_for": "2h"}
    given = resolve(cli=cli, environ={}, ini={})
    assert pickle.loads(pickle.dumps(given)) == given


def test_to_provision_again_unmakes_what_there_was(owner, name):
    first, second = provision(owner), provision(owner)
    assert first.record.version != second.record.version
    assert len(processes(f"{name}-vm")) == 1


def test_nothing_new_is_made_where_something_old_is_still_there(owner):
    provision(owner, packets=5)
    with pytest.raises(LabError, match="The machines could not be taken down: it is stuck"):
        provision(owner, packets=5)
    assert not owner.made
    assert owner.release() == ["it is stuck"]


def test_what_a_killed_holder_leaves_its_owner_removes(owner, name):
    provision(owner)
    for pid in processes(tag(name)):
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not alive(name)), "the machines outlive the holder"
    with pytest.raises(LabError, match="The process that holds the machines has ended"):
        owner.hold(60)
    assert owner.release() == []
    assert nothing_left(name)


def test_a_holder_that_never_starts_is_told_in_its_own_words(owner, name, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("pytest_ixy.holding.owner.PROGRAM", "no_such_module")
    with pytest.raises(LabError, match=r"has ended.*no_such_module"):
        provision(owner)
    assert owner.release() == []
    assert nothing_left(name)


@pytest.fixture
def start(name):
    """Start a process that owns a testbed of this name, and wait until it says a word."""
    started = []

    def start(word, packets=3):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(OWNER), name, str(packets)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert any(line == f"{word}\n" for line in process.stdout)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for pid in processes(tag(name)):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(name))
    list(sweep())


def test_a_mistake_of_the_provider_is_told(owner, name):
    with pytest.raises(LabError, match="The provider failed: ZeroDivisionError: a mistake"):
        provision(owner, packets=4)
    assert alive(name) == {"holder"}


@pytest.mark.parametrize("word", ["begun", "ready"])
def test_a_holder_ends_with_its_killed_owner(start, name, word):
    process = start(word, packets=2 if word == "begun" else 3)
    if word == "begun":  # in the middle of provisioning
        assert until((paths.scratch_folder(name) / "waiting").exists)
    process.kill()
    assert until(lambda: nothing_left(name))


def told_to_hold(process, seconds):
    process.communicate(f"{seconds}\n")
    return process.returncode == 0


def test_a_held_testbed_ends_when_its_time_is_over(start, name):
    assert told_to_hold(start("ready"), 1)
    assert until(lambda: nothing_left(name))


def test_a_held_testbed_outlives_its_owner_and_is_released(start, name, capfd):
    assert told_to_hold(start("ready"), 600)
    assert list(sweep()) == []
    assert until(lambda: alive(name) == {"holder", "vm"})
    (visit,) = runs.known()
    assert visit.until is not None
    code = "import sys; from pytest_ixy.cli import main; sys.exit(main(['release']))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert capfd.readouterr().out == f"{name}: released\n"
    assert nothing_left(name)


def test_what_a_killed_holder_held_is_swept(start, name):
    assert told_to_hold(start("ready"), 600)
    (holder,) = processes(tag(name))
    os.kill(holder, signal.SIGINT)  # a terminal's Ctrl-C is not for it
    os.kill(holder, signal.SIGHUP)
    assert ledger.is_owned(ledger.path_of(name))
    os.kill(holder, signal.SIGKILL)
    assert until(lambda: not alive(name))
    assert runs.known() == []
    assert [swept.run for swept in sweep()] == [name]
    assert nothing_left(name)
