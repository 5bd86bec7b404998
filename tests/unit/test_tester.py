"""The tester over a real SSH server, with a stand-in for its programs: lists run, stopped, collected."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sshd import children, needs, until

from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ListTable, Ng40Table
from pytest_ixy.remote import Host
from pytest_ixy.teravm import controller, detached, tester

pytest_plugins = ["sshd_fixtures"]
pytestmark = needs("setsid")

STANDIN = Path(__file__).parent / "ng40standin"
TOKEN = "PYTEST_IXY_LEASE"


class Lab:
    """A controller's user and a tester of it."""

    def __init__(self, sshd, folder):
        self.sshd, self.home = sshd, folder / "home"
        self.lists = self.home / "config/ng40cvnf/testlist"
        self.lists.mkdir(parents=True)
        shutil.copytree(STANDIN, self.home / "bin")
        self.own = self.home / ".cache/pytest-ixy-ng40"
        (self.home / ".bash_profile").write_text('PATH=$HOME/bin:$PATH\necho "Welcome to the tester"\n')
        (self.home / "place").mkdir()
        environment = {"HOME": str(self.home), TOKEN: "0123abcd"}
        self.access = replace(
            sshd.access, name="ng40", folder=str(self.home / "place"), environment=environment
        )
        self.host, self.connections = None, 0
        self.bundle = folder / "run-1"
        self.told, self.said, self.on_tell = [], [], lambda detail: None
        self.kept = []

    def reach(self):
        if self.host is None or self.host.lost:
            self.close()
            others = set(self.sshd.sessions())
            self.host = Host.connect(self.access, deadline=20)
            self.served_by = set(self.sshd.sessions()) - others
            self.connections += 1
        return self.host

    def close(self):
        if self.host:
            self.host.close()

    def tell(self, detail):
        self.told.append(detail)
        self.on_tell(detail)

    def tester(self, **changed):
        table = Ng40Table(host="ng40", **{"settle": "1s", "idle": "1s", **changed})
        return tester.Tester(self.reach, table, self.bundle, self.tell, self.said.append)

    def list(self, text, name="basic", **changed):
        (self.lists / f"{name}.ntl").write_text(text)
        return ListTable(file=f"{name}.ntl", **changed)

    def run(self, text, expected=(), name="basic", collect=2048, **changed):
        mine, asked = self.tester(collect=collect), self.list(text, name, **changed)
        return mine.again(asked, mine.run(asked, expected, self.kept.append))

    @property
    def calls(self):
        file = self.home / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def marked(self):
        return (self.own / "unfinished").exists()

    def log(self, name="basic"):
        return (self.bundle / f"lists/{name}.log").read_text()

    def left(self):
        """Processes that a list has left."""
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            try:
                words = file.read_bytes().split(b"\0")
            except OSError:
                continue
            if f"HOME={self.home}".encode() in words and any(
                w.startswith(b"PYTEST_IXY_LIST=") for w in words
            ):
                found.append(int(file.parent.name))
        return found

    def cut(self):
        """Kill what serves our connection."""
        for session in self.served_by:
            for pid in [*children(session), session]:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def lab(sshd, tmp_path):
    lab = Lab(sshd, tmp_path)
    yield lab
    lab.close()
    assert until(lambda: not lab.left())


def verdicts(record):
    return {case.name: case.verdict for case in record.cases}


def test_a_list_gives_verdicts_losses_files_and_leaves_nothing(lab):
    text = "plan 4G_M2AS_UDP tc-a.1 never\ncase_ 4G_M2AS_UDP PASS 100\ncase_ tc-a.1 FAIL\n"
    record = lab.run(text, ["4G_M2AS_UDP", "tc-a.1", "never", "other"])
    assert (record.end, record.words, record.status, record.verdict) == ("finished", "", 1, "FAIL")
    assert verdicts(record) == {"4G_M2AS_UDP": "PASS", "tc-a.1": "FAIL", "never": None}
    assert all(case.planned for case in record.cases)
    assert [loss.percent for loss in record.cases[0].losses] == [100]
    assert (record.flaws, record.lost, record.log) == ((), (), "lists/basic.log")
    assert lab.log().startswith("Welcome to the tester\n")
    for case in record.cases[:2]:
        log, capture = case.files
        assert (lab.bundle / log).read_text() == f"log of {case.name}\n"
        assert (lab.bundle / capture).read_text() == f"capture of {case.name}\n"
    (run_log,) = record.files
    assert run_log.startswith("lists/basic/run/basic_")
    assert (lab.bundle / run_log).read_text().startswith("Run test case 4G_M2AS_UDP\n")
    assert lab.calls == ["basic.ntl"]
    assert (lab.marked, list((lab.home / "place").iterdir()), lab.said) == (False, [], [])
    assert not (lab.bundle / "lists/basic/table").exists()


def test_progress_tells_how_many_of_how_many_which_and_the_silence(lab):
    def go_on(detail):
        if detail.startswith("basic: 1 of 3 cases, b, "):
            (lab.lists / "go").touch()

    lab.on_tell = go_on
    record = lab.run("plan a b\ncase_ a PASS\nrunning\nuntil_told\ncase_ b PASS\n", ["a", "b", "c"])
    assert verdicts(record) == {"a": "PASS", "b": "PASS"}
    assert any(detail.endswith(" s since last output") for detail in lab.told)


def test_a_list_survives_lost_connections_and_nothing_of_its_log_is_lost_or_doubled(lab):
    lines = "for i in {1..200}; do echo line $i; sleep 0.02; done"
    text = f"plan a b\ncase_ a PASS\n{lines}\nuntil_told\ncase_ b PASS\n"
    cuts = []

    def cut(detail):
        if len(cuts) < 2 and "line " in lab.log() and len(lab.log()) > 300 * (len(cuts) + 2):
            cuts.append(len(lab.log()))
            lab.cut()
        elif len(cuts) == 2:
            (lab.lists / "go").touch()

    lab.on_tell = cut
    record = lab.run(text)
    assert (record.end, verdicts(record)) == ("finished", {"a": "PASS", "b": "PASS"})
    lines = [line for line in lab.log().splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(1, 201)]
    assert (len(cuts), lab.connections, lab.calls) == (2, 3, ["basic.ntl"])
    assert len(lab.said) == 2
    assert all(words.startswith("the connection to the controller broke") for words in lab.said)


def test_a_list_that_ends_while_nobody_looks_is_read_to_its_end(lab):
    reach = lab.reach

    def late():
        if lab.host and lab.host.lost:
            (lab.lists / "go").touch()
            assert until(lambda: not (lab.lists / "busy").exists())
        return reach()

    lab.reach = late
    lab.on_tell = lambda detail: lab.connections == 1 and "0 of" not in detail and lab.cut()
    record = lab.run("case_ a PASS\nuntil_told\ncase_ b FAIL\n")
    assert (record.end, record.status, verdicts(record)) == ("finished", 1, {"a": "PASS", "b": "FAIL"})


DEADLINES = {
    "silence": ("case_ a PASS\nsleep 600\n", {"silence": "1s"}, "nothing was printed for 1s: it was stopped"),
    "case-timeout": (
        "plan a b\ncase_ a PASS\nwhile :; do running; sleep 0.2; done\n",
        {"case_timeout": "1s"},
        "b ran for longer than 1s: it was stopped",
    ),
    "list-timeout": (
        "case_ a PASS\nfor i in {1..9999}; do case_ c$((i % 5)) PASS; sleep 0.2; done\n",
        {"timeout": "2s"},
        "the list ran for longer than 2s: it was stopped",
    ),
}


@pytest.mark.parametrize("end", DEADLINES)
def test_a_missed_deadline_stops_the_list_and_cleans_up(lab, end):
    text, limits, words = DEADLINES[end]
    record = lab.run(text, **limits)
    assert (record.end, record.words, record.status) == (end, words, None)
    assert record.case("a").verdict == "PASS"
    assert len(record.case("a").files) == 2
    assert lab.calls == ["basic.ntl", "forcecleanup all"]
    assert (lab.bundle / record.files[-1]).read_text().endswith("all components are down\n")
    assert (lab.left(), lab.marked, lab.said) == ([], False, [f"basic: {words}"])
    assert lab.tester().idle(lab.bundle / "log").notes == ()


def test_what_ignores_term_is_killed_also_in_a_session_of_its_own(lab, monkeypatch):
    monkeypatch.setattr(detached, "TERM", 1.0)
    stubborn = "trap '' TERM INT HUP; setsid bash -c \"trap '' TERM; while :; do sleep 0.2; done\" &\n"
    record = lab.run(stubborn + "while :; do sleep 0.1; done\n", silence="1s")
    assert (record.end, lab.left()) == ("silence", [])


@pytest.mark.parametrize(
    ("text", "words", "status"),
    [
        ("case_ a PASS\ncrash\n", "was ended by SIGKILL", 137),
        ("case_ a PASS\nprintf 'Verdict(b) = VERD'; exit 7\n", "ended with status 7", 7),
        ("case_ a PASS\nkill -KILL $PPID $$\n", "is gone, and left no status", None),
    ],
)
def test_a_program_that_ends_without_a_verdict_on_the_list_was_cut_off(lab, text, words, status):
    record = lab.run(text)
    assert (record.end, record.status, record.verdict) == ("cut-off", status, None)
    assert f"the program {words}" in record.words
    assert "its last words: " in record.words
    assert record.case("a").verdict == "PASS"
    assert lab.calls == ["basic.ntl", "forcecleanup all"]
    assert (lab.left(), lab.marked) == ([], False)


def test_a_list_verdict_counts_whatever_the_status_and_both_are_on_record(lab):
    record = lab.run("case_ a PASS\nend 5\n")
    assert (record.end, record.verdict, record.status) == ("finished", "PASS", 5)
    assert lab.calls == ["basic.ntl"]


def test_a_tester_that_somebody_else_uses_refuses_and_is_left_alone(lab):
    (lab.lists / "busy").write_text("suite.ntl of jane runs\n")
    record = lab.run("case_ a PASS\n")
    assert (record.end, record.status, record.cases) == ("refused", 2, ())
    assert record.words.startswith("the tester did not take the list: ")
    assert "suite.ntl of jane runs" in record.words
    assert "forcecleanup all" not in lab.calls
    assert not lab.marked


def test_a_list_that_is_not_there_is_no_refusal(lab):
    record = lab.tester().run(ListTable(file="none.ntl"), (), lab.kept.append)
    assert (record.end, record.status) == ("cut-off", 3)
    assert "no such list: none.ntl" in record.words


def test_idle_waits_for_who_uses_the_tester_by_hand(lab, monkeypatch):
    monkeypatch.setattr(tester, "POLL", 0.2)
    (lab.lists / "busy").write_text("suite.ntl of jane runs\n")

    def done(detail):
        assert "suite.ntl of jane runs" in detail
        (lab.lists / "busy").unlink(missing_ok=True)

    lab.on_tell = done
    assert lab.tester(idle="60s").idle(lab.bundle / "log").title == "the tester is idle"
    assert set(lab.calls) == {"state.ntl"}


def test_idle_gives_up_and_names_who_is_in_the_way(lab):
    (lab.lists / "busy").write_text("suite.ntl of jane runs\n")
    with pytest.raises(LabError, match="somebody uses it by hand") as raised:
        lab.tester().idle(lab.bundle / "log")
    assert "suite.ntl of jane runs" in raised.value.what
    assert "ng40forcecleanup all" in raised.value.hint
    assert "forcecleanup all" not in lab.calls


def test_clean_always_forces_a_clean_up_first(lab):
    (lab.lists / "busy").write_text("whatever\n")
    done = lab.tester(clean="always").idle(lab.bundle / "log")
    assert (done.title, done.notes) == ("the tester is idle, after a forced clean-up", ())
    assert lab.calls == ["forcecleanup all", "state.ntl"]
    assert "all components are down" in (lab.bundle / "log").read_text()


def test_idle_tells_what_is_missing(lab):
    with pytest.raises(LabError, match="cannot run no-such-program") as raised:
        lab.tester(program="no-such-program").idle(lab.bundle / "log")
    assert "bash -l" in raised.value.hint
    with pytest.raises(LabError, match="there is no folder nowhere"):
        lab.tester(folder="nowhere").idle(lab.bundle / "log")
    (lab.home / "no-cleanup").touch()
    with pytest.raises(LabError, match=r"forced clean-up .* cannot reach the system controller"):
        lab.tester(clean="always").idle(lab.bundle / "log")


KILLED = """
import json, sys
from pathlib import Path
from pytest_ixy.labtable import ListTable, Ng40Table
from pytest_ixy.remote import Access, Host
from pytest_ixy.teravm.tester import Tester
host = Host.connect(Access.from_dict(json.loads(sys.argv[1])), deadline=20)
tester = Tester(lambda: host, Ng40Table(host="ng40"), Path(sys.argv[2]), print, print)
tester.run(ListTable(file="basic.ntl"), (), print)
"""


def test_a_run_that_was_killed_in_mid_list_is_cleaned_up_after_and_named(lab, tmp_path):
    lab.list("case_ a PASS\necho\ntouch begun; sleep 600\n")
    command = [sys.executable, "-c", KILLED, json.dumps(lab.access.as_dict()), str(tmp_path / "run-0")]
    environment = {**os.environ, "PYTHONPATH": str(STANDIN.parents[2])}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as killed:
        assert until((lab.lists / "begun").exists)
        killed.kill()
    time.sleep(1)  # what the connection's end could do to it, it would have done by now
    assert lab.left()
    assert lab.marked
    done = lab.tester().idle(lab.bundle / "log")
    (note,) = done.notes
    assert note.startswith("run run-0 was cut off while its list basic ran")
    assert lab.calls == ["basic.ntl", "forcecleanup all", "state.ntl"]
    assert (lab.left(), lab.marked) == ([], False)
    assert lab.tester().idle(lab.bundle / "log").notes == ()


def test_a_mark_stays_while_its_clean_up_fails_and_anything_may_stand_in_it(lab):
    lab.own.mkdir(parents=True)
    (lab.own / "unfinished").write_bytes(b"\x1b[31m$(reboot)\n\xff\n" + b"x" * 100_000)
    (lab.home / "no-cleanup").touch()
    with pytest.raises(LabError, match="cannot reach the system controller"):
        lab.tester().idle(lab.bundle / "log")
    assert lab.marked
    (lab.home / "no-cleanup").unlink()
    (note,) = lab.tester().idle(lab.bundle / "log").notes
    assert note.isprintable()
    assert r"\x1b[31m$(reboot)" in note
    assert not lab.marked


def test_a_failed_case_is_run_once_more_alone_and_its_first_verdict_counts(lab):
    (lab.lists / "b.ntl").write_text("case_ b PASS\n")
    (lab.lists / "c.ntl").write_text("case_ c FAIL\n")
    text = "case_ a PASS\ncase_ b FAIL\ncase_ c FAIL\ncase_ d FAIL\ncase_ e INCONC\n"
    record = lab.run(text, retry=True)
    told = {case.name: (case.verdict, case.again) for case in record.cases}
    assert told == {
        "a": ("PASS", None),
        "b": ("FAIL", "PASS"),
        "c": ("FAIL", "FAIL"),
        "d": ("FAIL", None),
        "e": ("INCONC", None),
    }
    assert record.retries == tuple(f"lists/basic/retry/{name}.log" for name in "bcd")
    assert "Verdict(b) = VERDICT_PASS" in (lab.bundle / record.retries[0]).read_text()
    (note,) = record.notes
    assert note.startswith("d, run once more, got no verdict: the program ended with status 3")
    assert [call for call in lab.calls if call not in {"forcecleanup all", "state.ntl"}] == [
        "basic.ntl",
        "b.ntl",
        "c.ntl",
        "d.ntl",
    ]
    assert not lab.marked


def test_without_being_asked_nothing_is_run_again(lab):
    assert lab.run("case_ a FAIL\n").case("a").again is None
    assert lab.calls == ["basic.ntl"]


HOSTILE = r"""
mkdir -p ../ran/pcap/deep
cd ../ran/pcap
touch "$(printf 'a_new\nline\033[31m.pcap')" -- '-rf' '$(reboot)' "$(printf '\377.pcap')" '..hidden' 'x y'
touch "$(printf 'n%.0s' {1..240})" deep/a_1.pcap deep/a_1.log
ln -s /etc/passwd a_link.pcap
mkfifo a_fifo
cd ../../testlist
case_ a PASS
case_ a_2 PASS
"""


def test_files_may_have_any_names_and_none_gets_outside_the_bundle(lab):
    old = lab.lists.parent / "ran/pcap"
    old.mkdir(parents=True)
    (old / "a_old.pcap").touch()
    record = lab.run(HOSTILE)
    (longer,) = [case for case in record.cases if case.name == "a_2"]
    assert {Path(file).name.partition("_2_")[0] for file in longer.files} == {"a"}
    files = [*record.files, *(file for case in record.cases for file in case.files)]
    assert len(files) == len(set(files)) == 1 + 4 + 9
    known = {path for path in (lab.bundle / "lists/basic").rglob("*") if path.is_file()}
    assert {lab.bundle / file for file in files} == known
    for file in files:
        assert file.isprintable()
        assert file.isascii()
        assert len(Path(file).name) < 150
    assert not any("old" in file or "link" in file or "fifo" in file for file in files)
    assert record.lost == ()


def test_no_more_is_collected_than_is_wanted_and_what_failed_comes_first(lab):
    large = "for c in a b; do head -c 700000 /dev/urandom >../ran/pcap/${c}_big.pcap; done"
    record = lab.run(f"case_ a PASS\ncase_ b FAIL\n{large}\n", collect=1)
    assert len(record.case("a").files) == 2
    assert len(record.case("b").files) == 3
    assert record.lost == ("a_big.pcap: 700,000 bytes, beyond the 1 MiB of `collect`",)


def test_what_is_not_there_is_told(lab):
    record = lab.run("case_ a PASS\nrm -r ../ran/pcap log\n")
    assert "there is no folder ../ran/pcap" in record.lost
    assert (record.end, record.files) == ("finished", ())


def test_more_files_than_are_looked_at_are_told(lab, monkeypatch):
    monkeypatch.setattr("pytest_ixy.teravm.collect.MOST", 3)
    record = lab.run("case_ a PASS\ntouch ../ran/pcap/a_{1..9}\n")
    assert sum("/pcap/" in file for file in record.case("a").files) == 3
    assert record.lost == ("more than 3 files: the others of ../ran/pcap were left there",)


def test_many_logs_do_not_keep_captures_out(lab, monkeypatch):
    monkeypatch.setattr("pytest_ixy.teravm.collect.MOST", 2)
    record = lab.run("case_ a PASS\ntouch ../ran/log/b_{1..9}\n")
    assert [file for file in record.case("a").files if file.endswith(".pcap")]
    assert record.lost == ("more than 2 files: the others of ../ran/log were left there",)


def test_what_a_list_leaves_in_the_background_may_print_for_ever(lab):
    record = lab.run(
        "case_ a PASS\n(trap '' TERM; for _ in {1..3000}; do echo more; sleep 0.01; done) &\n", timeout="2s"
    )
    assert (record.end, verdicts(record)) == ("finished", {"a": "PASS"})
    assert lab.left()
    for pid in lab.left():
        os.kill(pid, signal.SIGKILL)


def test_an_interrupted_run_is_abandoned_without_a_trace(lab):
    def interrupt(detail):
        if "1 of" in detail:
            raise KeyboardInterrupt

    lab.on_tell = interrupt
    mine = lab.tester()
    assert mine.abandon() == []
    with pytest.raises(KeyboardInterrupt):
        mine.run(lab.list("case_ a PASS\nsleep 600\n"), (), lab.kept.append)
    (record,) = lab.kept
    assert (record.end, record.words) == ("cut-off", "the run was interrupted")
    assert verdicts(record) == {"a": "PASS"}
    assert lab.left()
    assert mine.abandon() == []
    assert lab.calls == ["basic.ntl", "forcecleanup all"]
    assert (lab.left(), lab.marked) == ([], False)
    assert mine.abandon() == []
    assert lab.calls == ["basic.ntl", "forcecleanup all"]


def test_a_controller_that_is_gone_for_good_ends_the_list_with_what_was_known(lab):
    reach = lab.reach
    gone = threading.Event()

    def lost(detail):
        if "1 of" in detail and not gone.is_set():
            gone.set()
            lab.cut()

    def dead():
        if gone.is_set():
            raise LabError("node ng40 cannot be reached")
        return reach()

    lab.on_tell, lab.reach = lost, dead
    mine = lab.tester()
    record = mine.run(lab.list("case_ a PASS\nsleep 600\n"), (), lab.kept.append)
    assert (record.end, verdicts(record)) == ("cut-off", {"a": "PASS"})
    assert record.words == "it was lost sight of: node ng40 cannot be reached"
    assert record.lost == ("nothing could be collected: node ng40 cannot be reached",)
    assert mine.abandon() == ["node ng40 cannot be reached"] * 2
    assert lab.marked
    lab.reach = reach
    assert "was cut off" in lab.tester().idle(lab.bundle / "log").notes[0]


def test_a_list_whose_log_cannot_be_kept_is_ended(lab):
    (lab.bundle / "lists").mkdir(parents=True)
    (lab.bundle / "lists/basic.log").symlink_to("/dev/full")
    record = lab.run("case_ a PASS\nsleep 600\n")
    assert record.end == "cut-off"
    assert "No space left on device" in record.words
    assert lab.calls == ["basic.ntl", "forcecleanup all"]
    assert (lab.left(), lab.marked) == ([], False)


def test_what_runs_detached_can_be_found_by_the_lease_that_it_runs_under(lab):
    seen = []

    def look(detail):
        if "1 of" in detail:
            seen.extend(Path(f"/proc/{pid}/environ").read_bytes() for pid in lab.left())
            (lab.lists / "go").touch()

    lab.on_tell = look
    lab.run("case_ a PASS\nuntil_told\n")
    assert seen
    assert all(f"{TOKEN}=0123abcd".encode() in one.split(b"\0") for one in seen)


def test_a_list_that_cannot_be_started_says_why(lab):
    mine = lab.tester(folder="nowhere")
    with pytest.raises(LabError, match="there is no folder nowhere"):
        mine.run(ListTable(file="basic.ntl"), (), lab.kept.append)
    assert mine.abandon() == ["The tester's controller: there is no folder nowhere"]


def test_odd_bytes_and_long_output_come_through_as_they_are(lab):
    record = lab.run(r"printf '\377\000\r%0100000d\n' 0; case_ a PASS" + "\n")
    assert b"\xff\0\r" + b"0" * 100_000 + b"\n" in (lab.bundle / record.log).read_bytes()
    assert verdicts(record) == {"a": "PASS"}
    assert record.flaws == ("line 2: a very long line, whose middle was left out",)


@pytest.mark.parametrize("said", ["*", "é"])
def test_an_answer_that_makes_no_sense_is_no_crash(lab, monkeypatch, said):
    monkeypatch.setattr(
        controller,
        "script",
        lambda: f"start() {{ echo 'ixy: started'; }}\npeek() {{ echo 'ixy: out {said}'; }}",
    )
    record = lab.run("case_ a PASS\n")
    assert record.end == "cut-off"
    assert "cannot be decoded" in record.words
