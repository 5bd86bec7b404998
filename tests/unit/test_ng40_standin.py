"""The stand-in for an NG40 controller, as plain processes: it does what it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "lab" / "teravm" / "ng40"
IDLE = "ng40test (stand-in): the system is idle\n"
QUICK = "traffic off\ntime 0.05\n"


class Controller:
    """A controller in a folder."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "testlist").mkdir(parents=True)
        self.environment = {**os.environ, "NG40_HOME": str(folder)}

    def write(self, name, text):
        (self.folder / "testlist" / name).write_text(text)

    def start(self, program, *arguments):
        words = [sys.executable, str(PROGRAMS / f"{program}.py"), *arguments]
        return subprocess.Popen(
            words, cwd=self.folder / "testlist", env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, program, *arguments):
        with self.start(program, *arguments) as process:
            output, _ = process.communicate(timeout=60)
        return process.returncode, output.decode("latin-1")

    def until(self, kinds):
        deadline = time.monotonic() + 30
        while self.processes != kinds:
            assert time.monotonic() < deadline, self.processes
            time.sleep(0.02)

    @property
    def processes(self):
        return {one.name.partition("-")[0] for one in (self.folder / "standin").glob("*-[0-9]*")}


@pytest.fixture
def tester(tmp_path):
    made = Controller(tmp_path / "ng40cvnf")
    made.write("state.ntl", "busy\n")
    yield made
    (made.folder / "standin" / "no-cleanup").unlink(missing_ok=True)
    assert made.run("ng40forcecleanup", "all")[0] == 0


@pytest.mark.parametrize(
    ("text", "status", "last"),
    [
        ("", 0, "Testlist verdict = VERDICT_PASS\n"),
        ("case B INCONC", 1, "Testlist verdict = VERDICT_INCONC\n"),
        ("case B INCONC\ncase C FAIL", 1, "Testlist verdict = VERDICT_FAIL\n"),
        ("case B FAIL\nstatus 0", 0, "Testlist verdict = VERDICT_FAIL\n"),
        ("case B FAIL\nverdict PASS", 0, "Testlist verdict = VERDICT_PASS\n"),
        ("case B FAIL\nverdict NONE\nprint over", 1, "done\nover\n"),
        ("crash", -signal.SIGKILL, "done\n"),
        ("cut Verdict(B) = VERD", -signal.SIGKILL, "Verdict(B) = VERD"),
        ("print caf\\xe9\\n\ncrash", -signal.SIGKILL, "caf\xe9\n\n"),
        ("no such word", 3, "no: no word of a test list\n"),
    ],
)
def test_a_list_says_how_it_ends(tester, text, status, last):
    tester.write("one.ntl", f"{QUICK}case A PASS loss=40 packets=10\n{text}\n")
    ended, said = tester.run("ng40test", "one.ntl")
    assert ended == status
    assert said.endswith(last)
    assert ended == 3 or "DL Loss= AS_PktTx-S1uPktRx=       4(pkts); 40.00(%)\n" in said


@pytest.mark.parametrize(("text", "grows"), [("silence", False), ("hang", True), ("stubborn\nhang", True)])
def test_a_run_that_was_killed_leaves_a_tester_that_is_busy(tester, text, grows):
    tester.write("bad.ntl", f"{QUICK}{text}\n")
    tester.write("good.ntl", f"{QUICK}case A PASS\n")
    stubborn = "stubborn" in text
    left = {"ran", "child"} if stubborn else {"ran"}
    with tester.start("ng40test", "bad.ntl") as process:
        tester.until({"test", *left})
        assert tester.run("ng40test", "good.ntl") == (
            2,
            "ng40test (stand-in): the system is busy: bad.ntl runs\n",
        )
        (log,) = (tester.folder / "testlist" / "log").iterdir()
        size, _ = log.stat().st_size, time.sleep(1)
        assert (log.stat().st_size > size) == grows
        process.terminate()
        if stubborn:
            time.sleep(0.3)
            assert process.poll() is None
            process.kill()
        process.wait(10)
        (tester.folder / "standin" / "no-cleanup").touch()
        assert tester.run("ng40forcecleanup", "all")[0] == 1
        assert tester.run("ng40test", "state.ntl")[0] == 2
        (tester.folder / "standin" / "no-cleanup").unlink()
        assert tester.run("ng40forcecleanup", "all")[0] == 0
        assert process.stdout.read().count(b"Load Profile") == 1, "nobody has its output open any more"
    assert tester.processes == set()
    assert tester.run("ng40test", "state.ntl") == (0, IDLE)
    assert tester.run("ng40test", "good.ntl")[0] == 0


def test_a_tester_is_busy_when_told_so(tester):
    tester.run("ng40test", "state.ntl")
    (tester.folder / "standin" / "busy").write_text("anna runs 3gpp.ntl")
    assert tester.run("ng40test", "state.ntl") == (
        2, "ng40test (stand-in): the system is busy: anna runs 3gpp.ntl\n",
    )  # fmt: skip


def test_the_run_s_log_names_the_cases_that_are_planned(tester):
    tester.write("one.ntl", f"{QUICK}announce\ncase a-b.c PASS\ncase new NONE unplanned\nplanned never\n")
    _, said = tester.run("ng40test", "one.ntl")
    (log,) = (tester.folder / "testlist" / "log").iterdir()
    planned = [line.split()[-1] for line in log.read_text().splitlines() if line.startswith("Run test case")]
    assert planned[:2] == ["a-b.c", "never"]
    assert [line.split()[-1] for line in said.splitlines() if line.startswith("Run test case")] == [
        "a-b.c", "new",
    ]  # fmt: skip
    assert "Verdict(new)" not in said
    cases = [one.name.rpartition("_")[0] for one in sorted((tester.folder / "ran" / "log").iterdir())]
    assert cases == ["a-b.c", "new"]
