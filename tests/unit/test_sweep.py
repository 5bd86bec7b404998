from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from needs import lacking
from sshd import until

from pytest_ixy import ledger, paths, sweep
from pytest_ixy.testbed import Workspace, run_id

SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tag():
    return f"sweep-test-{secrets.token_hex(6)}"


@pytest.fixture
def start():
    """Start a process with these arguments on its command line; killed at the end."""
    started = []

    def start(*arguments):
        process = subprocess.Popen([sys.executable, "-c", SLEEPER, *arguments], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def killed(process):
    return process.wait(10) == -signal.SIGKILL


def abandon(run, *entries):
    book = ledger.create(run)
    for kind, name in entries:
        book.intend(kind, name)
    book.release()


def test_processes_are_found_by_a_whole_argument(tag, start):
    inside, last = start("-name", tag, "-m", "5"), start(tag)
    start(tag + "x"), start("x" + tag), start(f"-name={tag}"), start(tag[:-1]), start("other")
    assert set(sweep.processes(tag)) == {inside.pid, last.pid}


def test_an_empty_tag_is_nobodys(start):
    start("")
    assert sweep.processes("") == []


def test_processes_of_the_tag_are_killed_and_others_live(tag, start):
    mine, longer, other = start("-name", tag), start(tag + "-2"), start("other")
    assert sweep.end_processes(tag)
    assert killed(mine)
    assert longer.poll() is None
    assert other.poll() is None


def test_a_stopped_process_is_killed_too(tag, start):
    process = start(tag)
    process.send_signal(signal.SIGSTOP)
    assert sweep.end_processes(tag)
    assert killed(process)


def test_no_process_is_no_error(tag):
    assert not sweep.end_processes(tag)


def test_a_process_that_has_got_the_id_since_is_spared(tag, start, monkeypatch):
    process = start("other")
    answers = iter([[process.pid], [], []])
    monkeypatch.setattr(sweep, "processes", lambda _tag: next(answers))
    sweep.end_processes(tag)
    assert process.poll() is None


def test_a_scratch_folder_is_removed_with_all_in_it():
    folder = paths.scratch_folder("run")
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/c").write_text("x")
    (folder / "link").symlink_to("/etc")
    assert sweep.remove_folder(str(folder))
    assert not folder.exists()
    assert Path("/etc/passwd").exists()


def test_a_folder_that_is_gone_is_no_error():
    assert not sweep.remove_folder(str(paths.scratch_folder("run")))


@pytest.mark.parametrize(
    "name", ["{runs}", "{runs}/..", "{runs}/run/..", "{runs}/../images", "{runs}/run/sub", "/etc", "", "run"]
)
def test_other_folders_are_not_removed(name):
    runs = paths.scratch_folder("any").parent
    (runs / "run/sub").mkdir(parents=True)
    (runs.parent / "images").mkdir()
    with pytest.raises(PermissionError, match="not a scratch folder"):
        sweep.remove_folder(name.format(runs=runs))
    assert (runs / "run/sub").exists()
    assert (runs.parent / "images").exists()


def test_a_scratch_folder_that_is_a_link_leads_nowhere(tmp_path):
    victim = tmp_path / "victim"
    (victim / "sub").mkdir(parents=True)
    folder = paths.scratch_folder("run")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(victim)
    abandon("run", ("folder", str(folder)))
    (swept,) = sweep.sweep()
    assert swept.errors
    assert (victim / "sub").exists()


def test_a_run_under_another_cache_folder_is_swept_as_well(tmp_path, monkeypatch):
    folder = paths.scratch_folder("run")
    folder.mkdir(parents=True)
    abandon("run", ("folder", str(folder)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    (swept,) = sweep.sweep()
    assert swept.removed == (f"folder {folder}",)
    assert not folder.exists()


def test_a_sweep_removes_last_made_first_and_then_the_ledger(tag, start):
    folder = paths.scratch_folder("run")
    folder.mkdir(parents=True)
    process = start(tag)
    abandon("run", ("folder", str(folder)), ("process", tag), ("process", tag + "-never-started"))
    (swept,) = sweep.sweep()
    assert swept == sweep.Swept("run", (f"process {tag}", f"folder {folder}"), ())
    assert killed(process)
    assert list(paths.ledgers_folder().iterdir()) == []


def test_what_cannot_be_removed_is_told_and_kept_for_the_next_sweep():
    folder = paths.scratch_folder("run")
    folder.mkdir(parents=True)
    abandon("run", ("teapot", "one"), ("folder", "/etc"), ("folder", str(folder)))
    (swept,) = sweep.sweep()
    assert swept.removed == (f"folder {folder}",)
    assert [error.split(":")[0] for error in swept.errors] == ["folder /etc", "teapot one"]
    (again,) = sweep.sweep()
    assert again.removed == ()
    assert len(again.errors) == 2


def test_things_that_stay_for_one_reason_are_told_together():
    abandon("run", ("folder", "/etc"), ("folder", "/usr"), ("folder", "/bin"))
    (swept,) = sweep.sweep()
    assert swept.errors == ("folder /bin and 2 more: not a scratch folder of a run",)


def test_a_run_that_is_forgotten_leaves_what_it_left_and_is_never_tried_again(tag, start):
    process = start(tag)
    abandon("run", ("process", tag))
    abandon("other", ("process", tag + "-gone"))
    assert sweep.forget("another") is None
    assert sweep.forget("run") == sweep.Swept("run", (f"process {tag}",), ())
    assert [swept.run for swept in sweep.sweep()] == ["other"]
    assert process.poll() is None


def test_a_living_run_cannot_be_forgotten():
    book = ledger.create("run")
    assert sweep.forget("run") is None
    assert book.path.exists()
    book.settle()


def test_a_living_run_is_not_swept(tag, start):
    process = start(tag)
    book = ledger.create("run")
    book.intend("process", tag)
    assert list(sweep.sweep()) == []
    assert process.poll() is None
    book.settle()


def test_a_survey_tells_and_removes_nothing(tag, start):
    folder = paths.scratch_folder("run")
    folder.mkdir(parents=True)
    process = start(tag)
    entries = [("folder", str(folder)), ("process", tag), ("process", tag + "-gone"), ("teapot", "one")]
    abandon("run", *entries)
    expected = sweep.Swept("run", ("teapot one", f"process {tag}", f"folder {folder}"), ())
    assert list(sweep.survey()) == [expected]
    assert list(sweep.survey()) == [expected]
    assert process.poll() is None
    assert folder.exists()


def test_a_survey_does_not_see_living_runs():
    book = ledger.create("run")
    assert list(sweep.survey()) == []
    book.settle()


def test_a_workspace_writes_down_its_folder_and_takes_it_away():
    space = Workspace("run")
    assert [entry.name for entry in space.book.entries()] == [str(space.scratch)]
    (space.scratch / "disk").write_text("x")
    assert space.close() == sweep.Swept("run", (f"folder {space.scratch}",), ())
    assert not space.scratch.exists()
    assert list(paths.ledgers_folder().iterdir()) == []


KILLED = """
import os, signal, subprocess, sys
from pytest_ixy.testbed import Workspace
space = Workspace(sys.argv[1])
space.book.intend("process", sys.argv[1] + "-vm")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1] + "-vm"])
(space.scratch / "disk").write_text("x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_killed_in_the_middle_leaves_nothing_after_a_sweep(tag):
    assert subprocess.run([sys.executable, "-c", KILLED, tag], check=False).returncode == -signal.SIGKILL
    assert until(lambda: len(sweep.processes(f"{tag}-vm")) == 1)  # its name shows a moment after exec
    (swept,) = sweep.sweep()
    assert swept.removed == (f"process {tag}-vm", f"folder {paths.scratch_folder(tag)}")
    assert sweep.processes(f"{tag}-vm") == []
    assert list(paths.scratch_folder("any").parent.iterdir()) == []


def test_run_ids_differ_and_sort_by_time():
    first, second = run_id("forward", "ixy"), run_id("forward", "ixy")
    assert first != second
    assert first[:19] <= second[:19]
    assert first[19:].startswith("-forward-ixy-")


def test_what_a_build_made_as_other_users_is_removed_by_an_ordinary_user():
    """Runs as the user himself; for root everything is removable anyway."""
    if os.geteuid() == 0:
        pytest.skip("only an ordinary user meets files that he made but may not remove")
    folder = paths.scratch_folder("run")
    folder.mkdir(parents=True)
    made = f"mkdir -p '{folder}/home/sub' && chown -R 1000:1000 '{folder}/home' && chmod 700 '{folder}/home'"
    done = subprocess.run(["unshare", "--map-root-user", "--map-auto", "sh", "-c", made], check=False)
    if done.returncode != 0:
        lacking("unshare --map-auto does not work for this user")
    assert sweep.remove_folder(str(folder))
    assert not folder.exists()
