"""Commands and processes on a node: a real SSH server on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from sshd import needs, until

from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.remote import process

pytest_plugins = ["sshd_fixtures"]

STUBBORN = "trap '' INT TERM; while :; do sleep 0.1; done"


def runs(pid):
    """True while a process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def pids_in(file):
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_run_gives_status_output_and_log(host, tmp_path):
    log = tmp_path / "logs" / "fwd.log"
    first = host.run("echo out; echo err >&2; exit 3", timeout=30, log=log)
    second = host.run("echo more", timeout=30, log=log)
    assert (first.exit.status, first.exit.signal, first.exit.missing, first.ok) == (3, None, False, False)
    assert (first.output, second.output, second.ok) == ("out\nerr\n", "more\n", True)
    assert log.read_text() == "out\nerr\nmore\n"
    assert not first.timed_out


def test_run_keeps_all_output_in_the_log_and_the_tail_in_memory(host, tmp_path):
    log = tmp_path / "log"
    done = host.run("seq 400000; echo end", timeout=60, log=log)
    assert log.read_text() == "".join(f"{n}\n" for n in range(1, 400_001)) + "end\n"
    assert len(done.output) == 64 * 1024
    assert done.output.endswith("400000\nend\n")


def test_stdin_is_empty_and_nothing_of_the_supervisor_leaks(host):
    done = host.run("cat; ls /proc/self/fd | tr '\\n' ' '; trap", timeout=30)
    assert done.output == "0 1 2 3 "  # 3 is the folder that ls reads


def test_a_command_that_starts_a_daemon_returns_and_leaves_it(host, tmp_path):
    done = host.run(f"sleep 60 & echo $! > {tmp_path}/pid", timeout=30)
    (pid,) = pids_in(tmp_path / "pid")
    assert done.ok
    assert runs(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("command", "status", "name", "missing"),
    [
        ("kill -SEGV $$", 139, "SIGSEGV", False),
        ("kill -KILL $$", 137, "SIGKILL", False),
        ("sh -c 'kill -ABRT $$'; exit $?", 134, "SIGABRT", False),
        ("no-such-program-of-ixy", 127, None, True),
        ("/etc/passwd", 126, None, True),
        ("exit 255", 255, None, False),
    ],
)
def test_crashed_killed_and_missing_are_told_apart(host, command, status, name, missing):
    ended = host.run(command, timeout=30).exit
    assert (ended.status, ended.signal, ended.missing) == (status, name, missing)
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    assert ended.core_pattern == (pattern if name in {"SIGSEGV", "SIGABRT"} else None)


def test_what_a_process_kills_with_itself_is_a_kill_not_a_lost_node(host):
    ended = host.run("kill -KILL $PPID; sleep 60", timeout=30).exit
    assert ended.signal == "SIGKILL"
    assert host.run("echo still here", timeout=30).ok


@pytest.mark.parametrize("value", ["a b", 'it\'s "quoted"', "$(touch pwned)`id`", "two\nlines\n", "é\\n", ""])
def test_environment_and_folder_are_taken_as_they_are(host, tmp_path, value):
    folder = tmp_path / f"-x {value}"
    folder.mkdir()
    command = 'printf \'%s|%s\' "$IXY_TEST" "$PWD"'
    done = host.run(command, timeout=30, cwd=str(folder), environment={"IXY_TEST": value})
    assert done.output == f"{value}|{folder}"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("name", "value"), [("A B", ""), ("$(id)", ""), ("A=B", ""), ("", ""), ("A", "\0")])
def test_impossible_variables_are_refused(host, name, value):
    with pytest.raises(UsageError):
        host.run("true", timeout=30, environment={name: value})


def test_readonly_variables_and_paths_can_be_given(host):
    environment = {"UID": "7", "PATH": "/nowhere"}
    assert host.run("echo $PATH", timeout=30, environment=environment).output == "/nowhere\n"


def test_a_missing_folder_is_a_lab_error(host, tmp_path):
    with pytest.raises(LabError, match="node fwd: cannot run `true`: No such file or directory"):
        host.run("true", timeout=30, cwd=str(tmp_path / "none"))


def test_check_raises_with_the_last_words(host):
    with pytest.raises(LabError, match=r"node fwd: `echo why; exit 4` ended with status 4\nwhy"):
        host.run("echo why; exit 4", timeout=30, check=True)


def test_words_of_a_node_cannot_harm_a_terminal(host):
    with pytest.raises(LabError) as caught:
        host.run("printf 'two\\nlines\\033[2J\\n'; exit 4 # \033[31m", timeout=30, check=True)
    assert "two\nlines\\x1b[2J" in caught.value.what
    assert "\033" not in caught.value.what


@pytest.mark.parametrize("script", ["echo 'ixy: session \u00b2' >&2; cat", "echo 'ixy: session' >&2; cat"])
def test_a_node_that_talks_nonsense_is_a_lab_error(host, monkeypatch, script):
    monkeypatch.setattr(process, "_supervisor", lambda: script)
    with pytest.raises(LabError, match=r"node fwd: `true`: the node said .* where a number belongs"):
        host.run("true", timeout=30)


def test_a_node_that_talks_nonsense_about_the_end_is_a_lab_error(host, monkeypatch):
    script = "echo ixy: session $$ >&2; sleep 0.2; echo ixy: exit many >&2; cat"
    monkeypatch.setattr(process, "_supervisor", lambda: script)
    with pytest.raises(LabError, match="node fwd: `true`: the node said 'many' where a number belongs"):
        host.run("true", timeout=30)


def test_a_timeout_ends_the_whole_tree(host, tmp_path):
    pids = tmp_path / "pids"
    log = tmp_path / "log"
    stubborn = f"trap : INT; echo $$ >> {pids}; while :; do sleep 0.1; done"
    nested = f"echo begun; bash -c '(trap \"\" INT; echo $BASHPID >> {pids}; sleep 60; true) & {stubborn}' & "
    done = host.run(nested + f"echo $$ >> {pids}; wait", timeout=1.5, log=log)
    assert done.timed_out
    assert log.read_text() == "begun\n"
    assert len(pids_in(pids)) == 3
    assert [pid for pid in pids_in(pids) if runs(pid)] == []


@pytest.mark.parametrize(
    ("command", "needed", "status"),
    [
        ("trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done", "INT", 5),
        ("echo ready; exec sleep 60", "INT", 130),
        ("trap '' INT; echo ready; while :; do sleep 0.05; done", "TERM", 143),
        ("trap '' INT TERM; echo ready; while :; do sleep 0.05; done", "KILL", 137),
        ("echo ready", None, 0),
    ],
)
def test_stop_says_which_signal_was_needed(host, command, needed, status):
    process = host.start(command)
    assert until(lambda: "ready" in process.output)
    if needed is None:
        assert process.wait(30)
    stopped = process.stop(deadline=2)
    assert (stopped.needed, stopped.stragglers, process.poll().status) == (needed, (), status)
    assert process.stop() == stopped


def test_kill_leaves_no_time_to_put_anything_in_order(host, tmp_path):
    process = host.start(
        f"trap 'echo told' INT TERM; (trap '' INT TERM; echo $BASHPID > {tmp_path}/pid; sleep 60; true) & "
        f"until [ -s {tmp_path}/pid ]; do sleep 0.05; done; echo ready; while :; do sleep 0.05; done"
    )
    assert until(lambda: "ready" in process.output)
    stopped = process.kill()
    assert (stopped.needed, stopped.stragglers, process.poll().signal) == ("KILL", (), "SIGKILL")
    assert process.output == "ready\n"
    assert not runs(pids_in(tmp_path / "pid")[0])


def test_stragglers_are_killed_and_named(host, tmp_path):
    straggler = tmp_path / "lingering"
    straggler.write_text(f"#!/bin/bash\necho $$ > {tmp_path}/pid\n{STUBBORN}\n")
    straggler.chmod(0o755)
    process = host.start(f"{straggler} & until [ -s {tmp_path}/pid ]; do sleep 0.05; done; exit 6")
    assert process.wait(30).status == 6
    (pid,) = pids_in(tmp_path / "pid")
    assert runs(pid)
    stopped = process.stop(deadline=4)
    assert stopped.needed is None
    assert "lingering" in stopped.stragglers
    assert not runs(pid)


def test_a_child_in_a_session_of_its_own_is_stopped_too(host, tmp_path):
    process = host.start(f"setsid bash -c 'echo $$ > {tmp_path}/pid; {STUBBORN}' & wait")
    assert until(lambda: pids_in(tmp_path / "pid"))
    process.stop(deadline=3)
    assert not runs(pids_in(tmp_path / "pid")[0])


def test_poll_sees_the_process_run_and_its_output_come(host, tmp_path):
    process = host.start(
        f"echo one; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo two", log=tmp_path / "log"
    )
    assert until(lambda: process.output == "one\n")
    assert process.poll() is None
    assert process.wait(0.01) is None
    assert (tmp_path / "log").read_text() == "one\n"
    (tmp_path / "go").touch()
    assert process.wait(30).status == 0
    assert process.output == "one\ntwo\n"
    process.stop()


def test_a_process_that_is_let_go_while_it_runs_ends_by_itself(host, tmp_path):
    process = host.start(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    assert until(lambda: pids_in(tmp_path / "pid"))
    process.close()
    assert until(lambda: not runs(pids_in(tmp_path / "pid")[0]))


COUNTER = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: print("INT", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""


@needs("sudo", "python3", "timeout")
@pytest.mark.parametrize("prefix", ["sudo -n", "timeout 60", "sudo -n timeout 60"])
def test_programs_that_pass_signals_on_do_not_double_them(host, tmp_path, prefix):
    if "sudo" in prefix and subprocess.run(["sudo", "-n", "true"], check=False).returncode:
        pytest.skip("sudo asks for a password")
    (tmp_path / "counter.py").write_text(COUNTER)
    process = host.start(f"{prefix} python3 {tmp_path}/counter.py")
    assert until(lambda: "ready" in process.output)
    assert process.stop(deadline=4).needed == "TERM"
    assert process.output.count("INT") == 1


def test_a_full_log_disk_is_a_lab_error(host):
    process = host.start("while :; do echo more; sleep 0.01; done", log=Path("/dev/full"))
    with pytest.raises(LabError, match="cannot write /dev/full: No space left on device"):
        process.wait(30)
    process.stop()
