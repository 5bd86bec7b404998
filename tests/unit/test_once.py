"""Builds that serve more than one node and more than one run: three real SSH servers as the nodes."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sshd import PROGRAM, Sshd, needs

from pytest_ixy import kept, once, paths, target
from pytest_ixy.alike import Where
from pytest_ixy.bundle import ProviderRecord
from pytest_ixy.once import Site
from pytest_ixy.progress import Progress
from pytest_ixy.remote import Host
from pytest_ixy.settings import resolve
from pytest_ixy.target import Spec

ROLES = ("pktgen", "fwd", "pcap")
COMMAND = 'echo one building; echo "$PWD" >> ../built; cat source > program; chmod +x program'

pytestmark = needs("zstd")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """An SSH server for each role, whose sessions begin in a home of their own."""
    if not PROGRAM.exists():
        pytest.skip("not installed: sshd")
    made = {}
    for role in ROLES:
        folder = tmp_path_factory.mktemp(role)
        (folder / "home").mkdir()
        made[role] = Sshd(folder, f'ForceCommand cd {folder}/home && eval "$SSH_ORIGINAL_COMMAND"')
    yield made
    for server in made.values():
        server.stop()


class Lab:
    """Three nodes, new at each run."""

    def __init__(self, servers, hosts, folder):
        self.hosts, self._servers, self._folder = hosts, servers, folder
        self.said, self.runs = [], 0
        self.provider = ProviderRecord(name="qemu", image="0123456789ab", accelerator="tcg")
        self.spec = Spec(build=(COMMAND,), build_once=True)

    def home(self, role):
        return self._servers[role].folder / "home"

    @property
    def built(self):
        """How often was built on each node."""
        files = {role: self.home(role) / "built" for role in ROLES}
        return {role: len(file.read_text().split()) for role, file in files.items() if file.exists()}

    def run(self, source="the source\n", **cli):
        """What a run makes of a target with that content."""
        self.runs += 1
        run = self._folder / f"run-{self.runs}"
        (run / "target").mkdir(parents=True)
        (run / "target" / "source").write_text(source)
        (run / "target" / "ixy-ci.toml").write_text("pktgen = 'x'\nfwd = 'x'\npcap = 'x'\n")
        for role in ROLES:
            shutil.rmtree(self.home(role))
            self.home(role).mkdir()
        got = replace(target.fetch(str(run / "target"), None, run / "fetched"), spec=self.spec)
        programs = dict.fromkeys(ROLES, got)
        settings = resolve(cli=cli, environ={}, ini={})
        progress = Progress(say=self.said.append)
        scratch = run / "scratch"
        self.folder, self.progress = run / "bundle", progress
        where = Where(self.provider, offline=False)
        return once.make(Site(self.hosts, where, programs, settings, scratch, self.folder, progress))

    def log(self, builds, role):
        return (self.folder / builds[role].log).read_text()

    def programs(self):
        files = [self.home(role) / "target" / "program" for role in ROLES]
        return {file.read_text() for file in files if os.access(file, os.X_OK)}


@pytest.fixture
def lab(servers, tmp_path):
    with ExitStack() as stack:
        hosts = {role: stack.enter_context(Host.connect(servers[role].access, deadline=30)) for role in ROLES}
        yield Lab(servers, hosts, tmp_path)


def test_without_the_key_every_node_builds_in_every_run(lab):
    lab.spec = Spec(build=(COMMAND,))
    for _ in range(2):
        builds = lab.run()
        assert lab.built == {"pktgen": 1, "fwd": 1, "pcap": 1}
        assert all(one.ok and one.made_on is None and one.kept is None for one in builds.values())
    assert kept.stored() == []


def test_one_node_builds_for_the_others_and_for_the_next_run(lab):
    lab.spec = Spec(build=(COMMAND,), build_once=True, setup=("echo set up; pwd > ../ready",))
    builds = lab.run()
    assert lab.built == {"fwd": 1}
    assert [builds[role].made_on for role in ROLES] == ["fwd", None, "fwd"]
    assert lab.programs() == {"the source\n"}
    again = lab.run()
    assert lab.built == {}
    assert lab.programs() == {"the source\n"}
    assert {one.kept for one in again.values()} == {kept.stored()[0].record().made}
    for role in ROLES:
        assert (lab.home(role) / "ready").exists()
        assert [step.command for step in again[role].steps] == [COMMAND, *lab.spec.setup]
        assert again[role].ok
        log = lab.log(again, role)
        assert log.index("kept") < log.index("one building") < log.index("set up")
        assert log.count("set up\n") == 1
    assert not [phase for phase in lab.progress.phases if phase.name == "build"]


CHANGES = {
    "source": ({"source": "another\n"}, {}, {}),
    "commands": ({}, {"build": (COMMAND, "true")}, {}),
    "image": ({}, {}, {"image": "fedcba987654"}),
    "accelerator": ({}, {}, {"accelerator": "kvm"}),
}


def test_what_a_build_depends_on(lab):
    spec, provider = lab.spec, lab.provider
    lab.run()
    for source, commands, where in CHANGES.values():
        lab.spec, lab.provider = spec.model_copy(update=commands), provider.model_copy(update=where)
        lab.run(**source)
        assert lab.built == {"fwd": 1}
    lab.spec, lab.provider = spec, provider
    lab.run()
    assert lab.built == {}
    assert len(kept.stored()) == 1 + len(CHANGES)


def test_what_is_asked_for_anew_takes_the_kept_ones_place(lab):
    lab.spec = Spec(build=(f"{COMMAND}; date +%N > stamp",), build_once=True)
    stamps = set()
    for which in ("kept", "fresh", "kept"):
        lab.run(build=which)
        stamps.add((lab.home("pcap") / "target" / "stamp").read_text())
    assert len(stamps) == 2
    assert len(kept.stored()) == 1


def cut(folder):
    archive = folder / kept.ARCHIVE
    archive.write_bytes(archive.read_bytes()[:-9])


def change_a_byte(folder):
    data = bytearray((folder / kept.ARCHIVE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / kept.ARCHIVE).write_bytes(data)


def own_archive(folder):
    """What is no archive though its checksum is right."""
    (folder / kept.ARCHIVE).write_bytes(b"x")
    record = json.loads((folder / kept.RECORD).read_text())
    record["sha256"] = kept._copy(folder / kept.ARCHIVE, folder / "copy")
    (folder / kept.RECORD).write_text(json.dumps(record))


DAMAGES = {
    "cut": cut,
    "changed": change_a_byte,
    "no archive": own_archive,
    "no record": lambda folder: (folder / kept.RECORD).unlink(),
    "strange record": lambda folder: (folder / kept.RECORD).write_text("[]"),
    "no log": lambda folder: (folder / kept.LOG).unlink(),
}


def test_a_damaged_one_is_made_anew(lab):
    lab.run()
    for name, damage in DAMAGES.items():
        (one,) = kept.stored()
        damage(one.folder)
        lab.said.clear()
        builds = lab.run()
        assert lab.built == {"fwd": 1}, name
        assert lab.programs() == {"the source\n"}
        assert builds["pcap"].kept is None
        assert "damaged" in lab.said[0]
    lab.run()
    assert lab.built == {}


def test_a_failed_build_is_everybodys_and_never_kept(lab):
    lab.spec = Spec(build=("echo no; exit 3",), build_once=True, setup=("touch ../ready",))
    builds = lab.run()
    for role in ROLES:
        assert builds[role].steps[0].exit.status == 3
        assert "no\n" in lab.log(builds, role)
        assert not (lab.home(role) / "ready").exists()
    assert kept.stored() == []


def test_a_failed_setup_is_that_nodes_own(lab):
    lab.spec = Spec(build=(COMMAND,), build_once=True, setup=("case $PWD in *pcap*) exit 4;; esac",))
    for _ in range(2):
        builds = lab.run()
        assert {role for role in ROLES if not builds[role].ok} == {"pcap"}
    assert lab.built == {}


def test_what_cannot_be_handed_over_is_built_by_each(lab, monkeypatch):
    monkeypatch.setattr(kept, "LARGEST", 100)
    builds = lab.run()
    assert lab.built == {"pktgen": 1, "fwd": 1, "pcap": 1}
    assert all(one.ok and one.made_on is None for one in builds.values())
    assert "more than the 100 bytes" in lab.said[0]
    assert kept.stored() == []


def test_hosts_without_an_image_share_but_keep_nothing(lab):
    lab.provider = ProviderRecord(name="static")
    for _ in range(2):
        lab.run()
        assert lab.built == {"fwd": 1}
    assert not paths.builds_folder().exists() or kept.stored() == []
