"""The stand-in lab itself: it does what the programs that it stands in for are known to do."""

from __future__ import annotations

import struct
import time
from pathlib import Path

from teravm.federation import FOLDER, up
from teravm.packages import BAD_POSTINST, BUILDS, DOWN, MIDDLE, NEW, OLD, SERVICES, UNMET, UNTAGGED
from teravm.tester import HOME

from pytest_ixy import settings
from pytest_ixy.labtable import LabTable
from pytest_ixy.providers.static.sshconfig import Asked, resolve
from pytest_ixy.remote import Host

pytest_plugins = ["teravm.fixtures"]

INSTALL = "apt-get install -f -y --allow-downgrades"
CONFNEW = "-o Dpkg::Options::=--force-confnew"
EVERYTHING = """
case 4G_M2AS_UDP PASS loss=100
case tc-attach.2 FAIL
case S6A_7 INCONC
case mute NONE
case beyond PASS unplanned
planned never
print caf\\xe9
"""


def root(host, command, timeout=120):
    return host.run(command, timeout=timeout, root=True, environment={"PYTEST_IXY_LEASE": "none"})


def test_the_lab_is_entered_through_the_bastion_alone(standin, tmp_path):
    file = standin.configure(tmp_path, {"one": "case A PASS\n"}, fegs=("feg1", "feg3"), lab={"strict": True})
    table = settings.resolve(cli={"config": str(file)}, environ={}, ini={}).lab
    assert isinstance(table, LabTable)
    assert [one.name for one in table.feg] == ["feg1", "feg3"]
    for host in (table.agw, *table.feg, table.ng40):
        access = resolve(Asked("test", host.host, config=tmp_path / "ssh_config"))
        assert [jump.port for jump in access.jumps] == [standin.hosts["bastion"].access.port]
        with Host.connect(access, deadline=60) as entered:
            said = entered.run("hostname; whoami; sudo -n true && echo root", timeout=60).output.split()
        name = host.host.removeprefix("standin-")
        assert said[:2] == [name, "ng40" if name == "ng40" else "ixy"]
        assert ("root" in said) == host.root
    assert standin.leftovers() == []


def test_the_agw_has_versions_that_install_and_others_that_do_not(standin):
    agw, host = standin.agw, standin.hosts["agw"]
    rows = root(host, "apt-cache madison magma").output.splitlines()
    assert [row.split("|")[1].strip() for row in rows] == [one.version for one in reversed(BUILDS)]
    assert agw.installed == f"ii {OLD.version}"
    assert agw.running == dict.fromkeys(SERVICES, OLD.version)

    asked = root(host, f"{INSTALL} magma={NEW.version} </dev/null")
    assert not asked.ok, "a changed conffile is asked about"
    assert root(host, f"{INSTALL} {CONFNEW} magma={NEW.version}; service sctpd restart").ok
    assert agw.installed == f"ii {NEW.version}"
    assert agw.running == dict.fromkeys(SERVICES, NEW.version)
    assert standin.leftovers() == [], "daemons have nothing of whoever restarted them"

    assert "libmagma-nowhere" in root(host, f"{INSTALL} {CONFNEW} magma={UNMET.version}").output
    assert "too old" in root(host, f"{INSTALL} {CONFNEW} magma={BAD_POSTINST.version}").output
    assert agw.installed == f"iF {BAD_POSTINST.version}"
    assert root(host, f"{INSTALL} {CONFNEW} magma={DOWN.version}").ok
    assert agw.running == {SERVICES[0]: NEW.version, SERVICES[1]: ""}
    agw.offer_untagged()
    assert root(host, "apt-cache madison magma").output.split()[2] == UNTAGGED.version
    standin.reset()
    assert agw.installed == f"ii {OLD.version}"
    assert agw.running == dict.fromkeys(SERVICES, OLD.version)


def test_a_feg_has_images_that_run_and_others_that_do_not(standin):
    feg, host = standin.fegs["feg2"], standin.hosts["feg2"]

    def upgrade(tag):
        words = f"cd {FOLDER} && docker-compose down && sed -i s/^IMAGE_VERSION=.*/IMAGE_VERSION={tag}/ .env"
        return root(host, f"{words} && docker-compose pull && docker-compose up -d")

    assert not host.run(f"cd {FOLDER} && docker-compose ps", timeout=60).ok, "only root may"
    assert feg.state == up(OLD.hash)
    feg.lose_image(NEW.hash)
    assert "manifest unknown" in upgrade(NEW.hash).output
    feg.break_image(MIDDLE.hash)
    assert "permission denied" in upgrade(MIDDLE.hash).output
    feg.poison_image(DOWN.hash, after=1, service="magmad")
    assert upgrade(DOWN.hash).ok
    deadline = time.monotonic() + 30
    while feg.state != [*up(DOWN.hash)[:-1], f"feg_magmad:{DOWN.hash} exited"]:
        assert time.monotonic() < deadline, feg.state
    said = root(host, f"cd {FOLDER} && docker-compose ps && docker-compose logs --tail 1 -- magmad").output
    assert "Exit 3" in said
    assert "no licence" in said
    assert upgrade(OLD.hash).ok
    assert feg.state == up(OLD.hash)
    assert standin.fegs["feg1"].state == up(OLD.hash)
    assert standin.leftovers() == [], "containers have nothing of whoever started them"


def test_the_tester_prints_and_leaves_what_the_real_one_does(standin, tmp_path):
    ng40 = standin.ng40
    ng40.write({"all": EVERYTHING, "green": "traffic off\ntime 0.05\ncase A PASS\n"})
    said = ng40.run("ng40test all.ntl")
    assert said.endswith("caf\ufffd\nTestlist verdict = VERDICT_FAIL\nstatus 1\n")
    assert "Verdict(4G_M2AS_UDP) = VERDICT_PASS\n**** Packet Loss ****\nDL Loss= AS_PktTx-S1uPktRx=" in said
    assert said.count("100.00(%)") == 2
    assert said.count("Verdict(") == 4
    log, *captures = (
        [name for name in ng40.files if name.startswith(folder)]
        for folder in ("testlist/log/all_", "ran/pcap/")
    )
    text = standin.hosts["ng40"].run(f"sudo cat {HOME}/{log[0]}", timeout=60).output
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("Run test case")] == [
        "4G_M2AS_UDP", "tc-attach.2", "S6A_7", "mute", "never",
    ]  # fmt: skip
    assert len(captures[0]) == 5
    standin.hosts["ng40"].fetch(f"{HOME}/{captures[0][0]}", tmp_path / "pcap", timeout=60)
    assert records(tmp_path / "pcap") == 5
    assert ng40.run("ng40test green.ntl").endswith("Testlist verdict = VERDICT_PASS\n")
    assert ng40.run("ng40test nothing.ntl").endswith("status 3\n")
    assert ng40.run("ng40test state.ntl") == "ng40test (stand-in): the system is idle\n"


def test_what_a_killed_run_leaves_goes_with_a_forced_clean_up(standin):
    ng40 = standin.ng40
    ng40.write({"bad": "traffic off\ntime 0.05\nstubborn\ncase A PASS\nhang\n"})
    ng40.run("setsid ng40test bad.ntl >out 2>&1 </dev/null &")
    deadline = time.monotonic() + 60
    while kinds(ng40) != {"test", "child", "ran"}:
        assert time.monotonic() < deadline, ng40.run("cat out")
    ng40.run("pkill -TERM -f ^/usr/bin/python3.*ng40test.bad; sleep 0.3")
    assert kinds(ng40) == {"test", "child", "ran"}
    ng40.run("pkill -KILL -f ^/usr/bin/python3.*ng40test.bad")
    assert ng40.run("ng40test state.ntl").endswith("is busy: bad.ntl runs\nstatus 2\n")
    ng40.run("ng40forcecleanup all")
    assert ng40.processes == []
    assert ng40.run("ng40test state.ntl") == "ng40test (stand-in): the system is idle\n"
    assert ng40.calls[-3:] == ["ng40test state.ntl", "ng40forcecleanup all", "ng40test state.ntl"]


def kinds(ng40):
    return {name.partition("-")[0] for name in ng40.processes}


def records(file: Path) -> int:
    """How many packets a capture holds."""
    data, at, found = file.read_bytes(), 24, 0
    while at < len(data):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        found += 1
    return found
