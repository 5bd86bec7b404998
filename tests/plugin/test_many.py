"""Several targets in one run, by real processes: who has a testbed when, and whom one's trouble hurts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from test_localise_plugin import FOLDERS, PARTS
from test_plugin import TESTS, TOML, git, nothing_left

from pytest_ixy.sweep import processes

HERE = Path(__file__).parent
NAMES = ("a", "b", "c")
IDS = {"alone": ["-n0"], "two": ["-n2"], "each": ["-n3"]}


@pytest.fixture
def targets(tmp_path):
    """Three repositories with a commit each."""
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ixy-ci.toml").write_text(TOML + f"# {name}\n")
        git(folder, "init", "-q", "-b", "main")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "one")
    return {name: tmp_path / name for name in NAMES}


class Session:
    """Pytest on some targets, with machines of the provider tiny."""

    def __init__(self, folder, targets):
        self.folder, self.targets = folder, targets
        self.log, self.report = folder / "log.txt", folder / "report.xml"
        site = folder / "site"
        (site / "tiny-1.dist-info").mkdir(parents=True)
        (site / "tiny-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        (site / "tiny-1.dist-info/entry_points.txt").write_text("[pytest_ixy.providers]\ntiny = tiny:Tiny\n")
        self.path = os.pathsep.join([str(site), *FOLDERS])

    def start(self, names, *arguments, **wish):
        for path in (self.log, self.report):
            path.unlink(missing_ok=True)
        self.log.touch()
        given = [f"--ixy-repo={self.targets.get(name, name)}" for name in names]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tiny", "-v", *given]
        command += ["--ixy-provider=tiny", "--ixy-packets=100", "--junitxml=report.xml", *arguments]
        environment = {
            **os.environ, "PYTHONPATH": self.path, "TINY": json.dumps(wish), "TINY_LOG": str(self.log),
        }  # fmt: skip
        with (self.folder / "output.txt").open("wb") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def run(self, names, *arguments, **wish):
        return self.finish(self.start(names, *arguments, **wish))

    def finish(self, process):
        try:
            process.wait(240)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert "INTERNALERROR" not in self.output, self.output
        return process.returncode

    def release(self):
        program = str(Path(sys.executable).with_name("pytest-ixy"))
        subprocess.run([program, "release", "--all"], check=True, timeout=60, stdout=subprocess.DEVNULL)

    @property
    def output(self):
        return (self.folder / "output.txt").read_text("utf-8", "replace")

    @property
    def events(self):
        return self.log.read_text().splitlines()

    def until(self, condition, process=None):
        deadline = time.monotonic() + 120
        while not condition():
            assert process is None or process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    @property
    def outcomes(self):
        """By target, how many tests had each outcome."""
        found = {}
        for case in ET.parse(self.report).iter("testcase"):
            label = re.search(r"\[(\w+)", case.get("name"))[1]
            kinds = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
            outcome = kinds[0] if kinds else "passed"
            found.setdefault(label, {}).setdefault(outcome, []).append(case.get("name"))
        return {name: {kind: len(cases) for kind, cases in kinds.items()} for name, kinds in found.items()}

    @property
    def cases(self):
        return sorted(case.get("name") for case in ET.parse(self.report).iter("testcase"))

    @property
    def most_at_once(self):
        there = most = 0
        for event in self.events:
            there += {"make": 1, "unmake": -1}.get(event.split()[0], 0)
            most = max(most, there)
        assert there == 0, self.events
        return most


@pytest.fixture
def session(user, targets):
    return Session(user, targets)


@pytest.mark.parametrize("workers", IDS)
def test_each_target_has_a_testbed_of_its_own_and_the_report_is_the_same(workers, session, tmp_path):
    assert session.run(NAMES, "--html=report.html", *IDS[workers], twice=["b"]) == 1, session.output
    assert session.outcomes["a"] == session.outcomes["c"] == {"passed": TESTS}
    assert session.outcomes["b"]["passed"] + session.outcomes["b"]["failure"] == TESTS + PARTS
    assert session.outcomes["b"]["failure"] == 3  # forward, and fwd alone both ways
    commits = {
        name: git(folder, "rev-parse", "--short=7", "HEAD") for name, folder in session.targets.items()
    }
    assert f"test_capture[a@{commits['a']}-count]" in session.cases
    assert session.most_at_once <= max(1, int(IDS[workers][0][2:]))
    assert sorted(session.events) == sorted(f"{do} {name}" for do in ("make", "unmake") for name in NAMES)
    if workers == "alone":
        assert session.events == [f"{do} {name}" for name in NAMES for do in ("make", "unmake")]
    page, summary = (session.folder / "report.html").read_text(), session.output.rpartition(" pytest-ixy ")[2]
    for name in NAMES:
        label = f"{name}@{commits[name]}"
        assert f"<h2>{label}</h2>" in page
        assert len(re.findall(rf"^{label}: (passed|failed)", summary, re.MULTILINE)) == 1
        assert re.search(rf"bundle: \S+-forward-{name}-\w+$", summary, re.MULTILINE)
    shown = [line.partition("@")[0] for line in summary.splitlines() if re.match(r"\w@\w+: ", line)]
    assert shown == list(NAMES)
    for case in ET.parse(session.report).iter("testcase"):
        properties = {one.get("name"): one.get("value") for one in case.iter("property")}
        assert f"[{properties['ixy.target']}-" in case.get("name")
    assert nothing_left(tmp_path)


def test_no_more_testbeds_than_there_is_room_for(session):
    assert session.run(NAMES, "-n3", room=1) == 0, session.output
    assert session.most_at_once == 1
    assert "waits: there is room for 1 testbed at once" in session.output
    assert session.run(NAMES, "-nauto", room=2) == 0, session.output
    assert "2 workers" in session.output
    assert session.run(["a"], "-nauto", room=2) == 0, session.output
    assert "1 worker " in session.output
    assert session.run(["a", "b"], "-n2", room=0) == 0, session.output


@pytest.mark.parametrize("workers", ["alone", "two"])
def test_what_is_held_leaves_room_for_the_others(workers, session, tmp_path):
    asked = [*IDS[workers], "--ixy-keep=always"]
    assert session.run(NAMES, *asked, room=2) == 0, session.output
    assert session.output.count(" is held until ") == 2
    assert session.output.count(" is not held: other targets need its place") == 1
    session.release()
    assert session.most_at_once == 2
    assert session.run(["a", "b"], *asked, "-k", "[a", room=1) == 0, session.output
    assert session.events == ["make a"]
    assert session.output.count(" is held until ") == 1
    session.release()
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("workers", ["alone", "two"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_whoever_kills_pytest_gets_nothing_held_of_targets_that_were_done(number, workers, session, tmp_path):
    process = session.start(["a", "b"], *IDS[workers], "--ixy-keep=always", hang=["b"])
    done = re.compile(r"PASSED.*\[a@|\[a@.*PASSED")
    session.until(lambda: "hang b" in session.events and len(done.findall(session.output)) == TESTS, process)
    os.kill(process.pid, number)
    session.finish(process)
    assert " is held until " not in session.output
    session.until(lambda: {"unmake a", "unmake b"} <= set(session.events))
    session.until(lambda: nothing_left(tmp_path))


@pytest.mark.parametrize("workers", ["alone", "each"])
def test_the_trouble_of_some_does_not_hurt_the_others(workers, session, tmp_path):
    (session.targets["a"] / "ixy-ci.toml").write_text(TOML + 'pktgem = "x"\n')
    names = ["a", "b", str(tmp_path / "nowhere"), "c"]
    assert session.run(names, *IDS[workers], broken=["b"]) == 1, session.output
    one_error = {"error": 1, "skipped": TESTS - 1}
    assert session.outcomes == {"a": one_error, "b": one_error, "nowhere": one_error, "c": {"passed": TESTS}}
    for words in ("unknown key 'pktgem'", "there is no folder", "no machine"):
        assert words in session.output
    assert nothing_left(tmp_path)


def test_a_worker_that_crashes_takes_only_its_target_along(session, tmp_path):
    assert session.run(NAMES, "-n2", crash=["b"]) == 1, session.output
    assert session.outcomes["a"] == session.outcomes["c"] == {"passed": TESTS}
    assert session.outcomes["b"].get("passed", 0) == 3  # the builds, before it
    assert "crashed while running" in session.output
    assert "Another worker has used the testbed of b@" in session.output
    assert session.events.count("make b") == session.events.count("unmake b") == 1
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupt_takes_everything_down_and_the_reports_exist(number, session, tmp_path):
    process = session.start(NAMES, "-n3", "--html=report.html", hang=["a"], slow=["b"], room=2)
    session.until(lambda: {"hang a", "make b"} <= set(session.events) and "c@" in session.output, process)
    os.kill(process.pid, number)
    assert session.finish(process) == 2, session.output
    assert (session.folder / "report.html").exists()
    assert session.report.exists()
    assert session.most_at_once == 2
    assert nothing_left(tmp_path)


def test_an_interrupt_of_one_process_takes_down_what_it_was_at(session, tmp_path):
    process = session.start(NAMES, "-n0", hang=["b"])
    session.until(lambda: "hang b" in session.events, process)
    os.kill(process.pid, signal.SIGINT)
    assert session.finish(process) == 2, session.output
    assert session.events == ["make a", "unmake a", "make b", "hang b", "unmake b"]
    assert session.report.exists()
    assert nothing_left(tmp_path)


def test_what_a_killed_controller_owned_is_taken_down_without_it(session, tmp_path):
    process = session.start(NAMES, "-n3", hang=["a", "c"], slow=["b"])
    session.until(lambda: {"hang a", "make b", "hang c"} <= set(session.events), process)
    runs = [path.stem for path in (tmp_path / "xdg_state_home").rglob("*.jsonl")]
    assert len(runs) == 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    session.until(lambda: not any(processes(f"{run}-{part}") for run in runs for part in ("vm", "holder")))
    session.until(lambda: nothing_left(tmp_path))


def test_localise_follows_only_where_forward_failed(session):
    session.run(["a", "b"], "-n0", twice=["b"])
    alone = [name for name in session.cases if name.startswith("test_alone")]
    assert len(alone) == PARTS
    assert all("[b@" in name for name in alone)
    assert f"collected {2 * (TESTS + PARTS)} items / {2 * PARTS} deselected" in session.output
    assert f"{PARTS} deselected" in session.output.splitlines()[-1]
    assert "100%" in session.output


def test_workers_get_new_machines_where_those_they_had_are_damaged(session):
    session.run(["a", "b"], "-n2", twice=["b"], damaged=["b"])
    assert [event for event in session.events if event.endswith("b")] == ["make b", "unmake b"] * 2
    assert re.search(r"^fault: fwd \(beside references", session.output, re.MULTILINE)
    properties = {one.get("name"): one.get("value") for one in ET.parse(session.report).iter("property")}
    assert properties["ixy.2.fault"].startswith("fwd (beside references")


def test_each_target_is_tested_on_each_model_of_nic(session):
    (session.targets["b"] / "ixy-ci.toml").write_text('nics = ["e1000"]\n' + TOML)
    assert session.run(["a", "b"], "-n2", "--ixy-nic=virtio", "--ixy-nic=e1000") == 0, session.output
    commit = git(session.targets["a"], "rev-parse", "--short=7", "HEAD")
    for model in ("virtio", "e1000"):
        assert f"test_capture[a@{commit}~{model}-count]" in session.cases
    assert session.outcomes == {"a": {"passed": 2 * TESTS}, "b": {"passed": TESTS, "skipped": TESTS}}
    assert sorted(session.events) == ["make a", "make a", "make b", "unmake a", "unmake a", "unmake b"]


def test_a_commit_that_is_tested_twice_is_numbered(session):
    done = session.run(
        ["a", f"{session.targets['a']}@main", "b"], "--collect-only", "-q", "-k", "fwd and role"
    )
    commit = git(session.targets["a"], "rev-parse", "--short=7", "HEAD")
    assert done == 0
    for label in (f"a@{commit}", f"a@{commit}.2"):
        assert f"test_role[{label}-fwd]" in session.output


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--ixy-ref=main", "one version for 2 repositories"),
        ("--ixy-gdb=fwd", "is for one target; there are several"),
    ],
)
def test_what_is_for_one_target_is_refused_for_several(option, words, session):
    assert session.run(["a", "b"], option) == pytest.ExitCode.USAGE_ERROR
    assert words in session.output
    assert "Traceback" not in session.output


def test_a_test_that_names_no_target_says_so_where_there_are_several(session):
    (session.folder / "test_it.py").write_text(
        "def test_it(request):\n    request.getfixturevalue('ixy_bundle')\n"
    )
    session.run(["a", "b"], "test_it.py")
    assert "does not say which of the targets" in session.output
