"""Scenario `teravm` as a user runs it, on the stand-in lab, through its bastion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from teravm.federation import up
from teravm.packages import BAD_POSTINST, DOWN, NEW, OLD, SERVICES, UNMET, UNTAGGED

from conftest import Runner, leftovers

pytest_plugins = ["teravm.fixtures"]

SMOKE = "time 0.1\ncase 4G_M2AS_UDP PASS\ncase tc-attach.2 PASS\n"
QUICK = "traffic off\ntime 0.1\n"
LONG = f"{QUICK}case before PASS\ncase long PASS time=600\ncase after PASS\n"
KINDS = f"""{QUICK}
case good PASS
case flaky FAIL
case broken FAIL
case S6A_7 INCONC
case mute NONE
case new PASS unplanned
case dead PASS loss=100
planned never
print caf\\xe9 \\x1b[31m
"""
CUT_OFF = ("crash", "cut", "silent", "hang")
BEFORE_LISTS = ("lease", "tag", "health-agw", "health-feg1", "idle")


class User:
    """Somebody who runs pytest on the lab, on a machine of his own."""

    def __init__(self, folder, name):
        (folder / name / "run").mkdir(parents=True)
        self.runner = Runner(folder / name / "run", folder / name / "state")
        self.folder = self.runner.folder

    def start(self, config, tag="current", *arguments):
        (self.folder / "report.xml").unlink(missing_ok=True)
        words = ("--ixy-scenario=teravm", f"--ixy-config={config}", f"--ixy-tag={tag}", *arguments)
        return self.runner.start(None, *words)

    def finish(self, process, timeout=500):
        """The outcome of every test by its `ixy.id` without `teravm/`; what pytest returned is behind ``."""
        found = {"": self.runner.finish(process, timeout).returncode}
        self.texts = {}
        assert (self.folder / "report.xml").exists(), self.output
        for case in ET.parse(self.folder / "report.xml").iter("testcase"):
            properties = {one.get("name"): one.get("value") for one in case.iter("property")}
            assert "ixy.id" in properties, self.output
            name = properties["ixy.id"].removeprefix("teravm/")
            found[name] = properties["ixy.outcome"]
            kinds = [child for child in case if child.tag in {"failure", "error", "skipped"}]
            self.texts[name] = "\n".join(f"{child.get('message')}\n{child.text}" for child in kinds)
        return found

    def run(self, config, tag="current", *arguments):
        return self.finish(self.start(config, tag, *arguments))

    def until(self, text, process, timeout=300):
        self.runner.until(text, process, timeout)

    @property
    def output(self):
        return self.runner.output

    @property
    def bundles(self):
        return sorted((self.folder / "ixy-artifacts").iterdir())


@pytest.fixture
def users(tmp_path):
    made = [User(tmp_path, name) for name in ("anna", "ben", "carl")]
    yield made
    for user in made:
        user.runner.end()


@pytest.fixture
def anna(users):
    return users[0]


def passed(outcomes):
    return {name for name, outcome in outcomes.items() if outcome == "passed"}


def only(outcomes, *kinds):
    return {name: outcome for name, outcome in outcomes.items() if name and outcome in kinds}


def nothing_is_left(standin, *users):
    assert standin.leftovers() == []
    assert standin.ng40.processes == []
    assert [found for user in users for found in leftovers(user.folder.parent / "state")] == []


def let_a_minute_pass(standin):
    """As if nothing had been heard of the owner for so long."""
    for name in ("agw", "feg1", "ng40"):
        beats = "for f in /run/pytest-ixy/beat-* /dev/shm/*/beat-*; do [ ! -e $f ] || echo -100 >$f; done"
        standin.hosts[name].run(beats, timeout=60, root=True, check=True)


def until_calls(standin, call, user, process):
    deadline = time.monotonic() + 300
    while call not in standin.ng40.calls:
        assert process.poll() is None, user.output
        assert time.monotonic() < deadline, user.output
        time.sleep(0.2)


def doctor(user, config):
    """What the doctor says of the lab's hosts, by name, and its status."""
    program = str(Path(sys.executable).with_name("pytest-ixy"))
    done = subprocess.run(
        [program, "doctor", "--ixy-scenario=teravm", f"--ixy-config={config}"],
        env=user.runner.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    words = [line.split(maxsplit=2) for line in done.stdout.splitlines() if line]
    return done.returncode, {each[1]: (each[0], each[2]) for each in words if len(each) > 2}


def test_the_doctor_sees_what_a_lab_lacks(standin, anna, tmp_path):
    standin.ng40.write({"smoke": SMOKE})
    config = standin.configure(tmp_path, {"smoke": SMOKE})
    status, said = doctor(anna, config)
    assert status == 0, "\n".join(map(str, said.items()))
    assert {said[name][0] for name in ("agw", "feg1", "ng40")} == {"ok"}
    assert f"magma {OLD.version}, nobody has it" in said["agw"][1]
    text = config.read_text().replace('file = "smoke.ntl"', 'file = "nope.ntl"')
    config.write_text(text.replace("[lab.agw]", '[lab.agw]\npackage = "magna"'))
    status, said = doctor(anna, config)
    assert status == 1
    assert said["agw"][0] == said["ng40"][0] == "MISSING"
    assert "not there: package magna" in said["agw"][1]
    assert "not there: list nope.ntl" in said["ng40"][1]
    nothing_is_left(standin, anna)


def test_the_lab_is_upgraded_and_its_lists_run(standin, anna, tmp_path):
    lists = {
        "smoke": {"text": SMOKE, "cases": ["4G_M2AS_UDP", "tc-attach.2"]},
        "more": QUICK + "case A_1 PASS\n",
    }
    config = standin.configure(tmp_path, lists)
    found = anna.run(config, "latest")
    assert found.pop("") == 0, anna.output
    assert set(found.values()) == {"passed"}, anna.output
    assert found.keys() == {
        "lease", "tag", "upgrade-agw", "health-agw", "upgrade-feg1", "health-feg1", "idle",
        "smoke", "smoke/4G_M2AS_UDP", "smoke/tc-attach.2", "more", "more/A_1",
        "rules/user-plane", "rules/output",
    }  # fmt: skip
    assert standin.agw.installed == f"ii {NEW.version}"
    assert standin.agw.running == dict.fromkeys(SERVICES, NEW.version)
    assert standin.fegs["feg1"].state == up(NEW.hash)
    assert standin.fegs["feg2"].state == up(OLD.hash)
    assert standin.ng40.calls[-1].startswith("ng40test")
    (bundle,) = anna.bundles
    captures = list((bundle / "lists" / "smoke").rglob("*.pcap"))
    assert len(captures) == 2
    assert all(one.stat().st_size > 24 for one in captures)
    nothing_is_left(standin, anna)

    again = anna.run(config, "latest", f"--ixy-replay={bundle}")
    assert again.pop("") == 0
    assert again == found


def test_whatever_goes_wrong_in_a_list_is_told(standin, anna, tmp_path):
    standin.ng40.write({"flaky": QUICK + "case flaky PASS\n", "broken": QUICK + "case broken FAIL\n"})
    lists = {
        "kinds": {
            "text": KINDS,
            "cases": ["good", "flaky", "broken", "S6A_7", "mute", "dead", "never"],
            "retry": True,
        },
        "crash": {"text": f"{QUICK}case A PASS\ncrash\n", "cases": ["A", "B"]},
        "cut": {"text": f"{QUICK}case A PASS\ncut Verdict(B) = VERDI\n", "cases": ["A", "B"]},
        "silent": {"text": f"{QUICK}case A PASS\nsilence\n", "cases": ["A", "B"], "silence": "4s"},
        "hang": {"text": f"{QUICK}case A PASS\nstubborn\nhang\n", "cases": ["A", "B"], "case_timeout": "5s"},
        "nothing": {"text": f"{QUICK}verdict PASS\n", "cases": ["A"]},
    }
    config = standin.configure(tmp_path, lists, lab={"strict": True, "user_plane": "report"})
    found = anna.run(config)
    assert found.pop("") == 1, anna.output
    bad = {f"{name}/B": "error" for name in CUT_OFF}
    bad |= dict.fromkeys((*CUT_OFF, "nothing", "nothing/A"), "error")
    bad |= {"kinds/flaky": "failed", "kinds/broken": "failed", "kinds/S6A_7": "inconclusive"}
    bad |= {"kinds/mute": "error", "kinds/never": "error", "kinds/new": "error"}
    bad |= {"rules/user-plane": "reported", "rules/output": "reported"}
    assert {name: outcome for name, outcome in found.items() if outcome != "passed"} == bad
    assert passed(found) == {
        *BEFORE_LISTS, "kinds", "kinds/good", "kinds/dead", *(f"{one}/A" for one in CUT_OFF),
    }  # fmt: skip
    assert "PASS when it was run once more" in anna.texts["kinds/flaky"]
    assert "FAIL when it was run once more" in anna.texts["kinds/broken"]
    assert "planned, but never judged" in anna.texts["kinds/never"]
    assert "not expected" in anna.texts["kinds/new"]
    assert "4s" in anna.texts["silent"]
    assert "5s" in anna.texts["hang"]
    assert "without a single verdict" in anna.texts["nothing"]
    assert standin.agw.installed == f"ii {OLD.version}", "nothing was to be upgraded"
    nothing_is_left(standin, anna)


def test_an_upgrade_that_fails_is_undone_and_nothing_is_tested(standin, anna, tmp_path):
    fegs = ("feg1", "feg2", "feg3")
    config = standin.configure(tmp_path, {"smoke": SMOKE}, fegs, agw={"health": "15s"}, feg={"health": "15s"})
    standin.fegs["feg2"].lose_image(NEW.hash)
    found = anna.run(config, NEW.hash)
    assert found.pop("") == 1, anna.output
    assert only(found, "failed", "error") == {"upgrade-feg2": "failed"}
    assert {"upgrade-agw", "upgrade-feg1"} <= passed(found)
    assert found["upgrade-feg3"] == found["idle"] == found["smoke"] == "skipped"
    assert "manifest" in anna.texts["upgrade-feg2"]
    assert {name: one.state for name, one in standin.fegs.items()} == {
        "feg1": up(NEW.hash), "feg2": up(OLD.hash), "feg3": up(OLD.hash),
    }  # fmt: skip
    assert not any("smoke" in call for call in standin.ng40.calls)
    standin.reset()

    config = standin.configure(tmp_path, {"smoke": SMOKE}, (), agw={"health": "15s"}, ng40={"idle": "3s"})
    for build, step, word in (
        (BAD_POSTINST, "upgrade-agw", "too old"),
        (UNMET, "upgrade-agw", "libmagma-nowhere"),
        (DOWN, "health-agw", SERVICES[1]),
    ):
        found = anna.run(config, build.hash)
        assert only(found, "failed", "error") == {step: "failed"}, anna.output
        assert word in anna.texts[step]
        assert (standin.agw.installed == f"ii {OLD.version}") == (step == "upgrade-agw")
    assert only(anna.run(config, "0123456789ab"), "failed", "error") == {"tag": "error"}
    standin.agw.offer_untagged()
    assert only(anna.run(config, "latest"), "failed", "error") == {"tag": "error"}
    assert UNTAGGED.version in anna.texts["tag"]
    standin.reset()
    standin.ng40.occupy("carl runs 3gpp.ntl")
    assert only(anna.run(config), "failed", "error") == {"idle": "error"}
    assert "carl runs 3gpp.ntl" in anna.texts["idle"]
    assert "ng40forcecleanup all" not in standin.ng40.calls[1:], "somebody else's run is not ended"
    standin.ng40.vacate()
    nothing_is_left(standin, anna)


def test_one_waits_for_the_other_and_cleans_up_after_him_when_he_was_killed(standin, users, tmp_path):
    (anna, ben, carl), folders = users, [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    slow = standin.configure(folders[0], {"slow": f"{QUICK}case A PASS time=30\n"})
    long = standin.configure(folders[1], {"long": LONG})
    quick = standin.configure(folders[2], {"quick": f"{QUICK}case A PASS\n"})
    first = anna.start(slow)
    until_calls(standin, "ng40test slow.ntl", anna, first)
    standin.hosts["ng40"].run("pkill -u ng40 sshd", timeout=60, root=True)  # the connection, in mid-list
    second = ben.start(long)
    ben.until("; waiting", second)
    found = anna.finish(first)
    assert found.pop("") == 0, anna.output
    assert set(found.values()) == {"passed"}
    assert "what runs there goes on" in anna.output

    until_calls(standin, "ng40test long.ntl", ben, second)
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    third = carl.start(quick)
    carl.until("; waiting", third)
    let_a_minute_pass(standin)
    found = carl.finish(third)
    assert found.pop("") == 0, carl.output
    assert set(found.values()) == {"passed"}
    assert "was taken over from" in carl.output
    assert "was cut off while its list long ran" in carl.output
    assert "ng40forcecleanup all" in standin.ng40.calls[standin.ng40.calls.index("ng40test long.ntl") :]
    nothing_is_left(standin, anna, carl)


def test_an_interrupt_in_mid_list_leaves_nothing(standin, anna, tmp_path):
    process = anna.start(standin.configure(tmp_path, {"long": LONG}))
    until_calls(standin, "ng40test long.ntl", anna, process)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(120) == 2
    assert standin.ng40.run("ng40test state.ntl").endswith("is idle\n")
    nothing_is_left(standin, anna)
