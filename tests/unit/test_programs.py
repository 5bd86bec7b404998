from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need_programs
from sshd import until

from pytest_ixy import programs, sweep
from pytest_ixy.errors import LabError


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def run(log, *command, timeout=60.0, **more):
    programs.run_logged(command, log=log, timeout=timeout, doing="Trying it", **more)


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None


def is_gone(pid):
    return state_of(pid) in {None, "Z"}


def test_programs_for_the_system_are_found_when_path_lacks_their_folder(monkeypatch):
    need_programs("mke2fs")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert programs.find("mke2fs").endswith("sbin/mke2fs")


def test_a_missing_program_is_told_with_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "EXTRA_PATH", ())
    with pytest.raises(LabError, match=r"sudo apt-get install qemu-system-x86$"):
        programs.find("qemu-system-x86_64")
    with pytest.raises(LabError, match="frobnicate is not installed"):
        programs.find("frobnicate")


def test_output_goes_to_the_log(log):
    run(log, "sh", "-c", "echo one; echo two >&2")
    run(log, "sh", "-c", "echo three")
    assert log.read_text().split() == ["one", "two", "three"]


def test_variables_are_given_to_the_program(log):
    run(log, "sh", "-c", "echo $TEA $HOME", environment={"TEA": "green"})
    assert log.read_text().split() == ["green", os.environ["HOME"]]


def test_a_failure_carries_status_and_last_lines(log):
    with pytest.raises(LabError) as caught:
        run(log, "sh", "-c", "for n in $(seq 40); do echo line $n; done; exit 3")
    assert "Trying it failed: exit status 3." in caught.value.what
    assert "line 40" in caught.value.what
    assert "line 9\n" not in caught.value.what
    assert str(log) in caught.value.hint


def test_a_program_that_a_signal_ends_is_told_by_its_name(log):
    with pytest.raises(LabError, match="ended by SIGSEGV"):
        run(log, "sh", "-c", "kill -SEGV $$")


def test_a_deadline_is_told_even_when_the_program_hides_the_signal(log):
    """mmdebstrap, told to end, cleans up and ends with a status of its own."""
    hiding = "trap 'echo cleaned; exit 7' TERM; while :; do sleep 0.1; done"
    with pytest.raises(LabError, match=r"did not end within 1 s(?s:.*)cleaned"):
        run(log, "sh", "-c", hiding, timeout=1.0)


def test_children_are_ended_with_the_program(log):
    with pytest.raises(LabError):
        run(log, "sh", "-c", "sleep 600 & echo $!; wait", timeout=2.0)
    assert until(lambda: is_gone(int(log.read_text())))


def test_children_that_the_program_left_are_ended(log):
    run(log, "sh", "-c", "sleep 600 & echo $!")
    assert until(lambda: is_gone(int(log.read_text())))


def test_an_interrupt_ends_the_program(log):
    def interrupt(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(log, "sh", "-c", "echo $$; exec sleep 600", tell=interrupt)
    assert is_gone(int(log.read_text()))


def test_the_latest_line_is_told(log):
    told = []
    run(log, "sh", "-c", "printf 'one\\ntwo\\n\\n'; sleep 1", tell=told.append)
    assert told[-1] == "two"


BOUND = """
import subprocess, sys, time
from pytest_ixy import programs
child = "import time; print('ready', flush=True); time.sleep(600)"
subprocess.Popen(programs.bound([sys.executable, "-c", child, sys.argv[1]]))
time.sleep(600)
"""


def test_a_bound_program_dies_with_whoever_started_it():
    need_programs("setpriv")
    tag = f"bound-test-{secrets.token_hex(6)}"
    with subprocess.Popen([sys.executable, "-c", BOUND, tag], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout.readline() == b"ready\n"  # the child's
            assert len(sweep.processes(tag)) == 2
        finally:
            parent.send_signal(signal.SIGKILL)
            parent.wait()
        assert until(lambda: not sweep.processes(tag))


def test_a_tail_is_short_whatever_the_log(log):
    log.write_bytes(b"x" * 100_000 + b"\nprogress 1\rprogress 2\r\n\n  \n\xff last\033[2J\n")
    assert programs.tail(log, lines=2) == "progress 2\n\ufffd last\\x1b[2J"


def test_short_programs_give_output_and_status():
    done = programs.output_of(["sh", "-c", "echo out; echo err >&2; exit 4"])
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 4)


def test_short_programs_have_a_deadline():
    with pytest.raises(LabError, match="sleep did not end within 0 s"):
        programs.output_of(["sleep", "600"], timeout=0.1)
