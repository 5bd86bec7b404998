from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ixy import ledger, paths
from pytest_ixy.errors import LabError
from pytest_ixy.ledger import Entry

OWNER = """
import sys
from pathlib import Path
from pytest_ixy import ledger
book = ledger.create(sys.argv[1])
book.intend("folder", "/one")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def owner():
    """Another process that owns the ledger `other`."""
    command = [sys.executable, "-c", OWNER, "other"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_entries_are_kept_in_order():
    book = ledger.create("run")
    book.intend("process", "run-fwd")
    book.intend("folder", '/a "strange"\nname')
    assert book.entries() == [Entry("process", "run-fwd"), Entry("folder", '/a "strange"\nname')]
    book.settle()


def test_each_entry_is_in_the_file_before_intend_returns():
    book = ledger.create("run")
    book.intend("process", "run-fwd")
    assert b"run-fwd" in book.path.read_bytes()
    book.settle()


def test_a_run_may_have_dots_in_its_name():
    book = ledger.create("run-ixy.rs-1")
    assert book.run == "run-ixy.rs-1"
    book.settle()


def test_two_runs_cannot_have_one_ledger():
    book = ledger.create("run")
    with pytest.raises(FileExistsError):
        ledger.create("run")
    book.settle()


@pytest.mark.parametrize(
    "rest",
    [b'{"kind": "fol', b"\xff\xfe", b"5\n", b'{"kind": "folder"}\n', b'{"kind": 1, "name": 2}\n', b"\0\0\0"],
)
def test_a_line_that_a_crash_spoiled_is_left_out(rest):
    book = ledger.create("run")
    book.intend("folder", "/one")
    with book.path.open("ab") as stream:
        stream.write(rest)
    assert book.entries() == [Entry("folder", "/one")]
    book.settle()


def test_the_ledger_of_a_living_run_is_not_abandoned(owner):
    assert list(ledger.abandoned()) == []


def test_the_ledger_of_a_killed_run_is_abandoned(owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    (book,) = ledger.abandoned()
    assert book.run == "other"
    assert book.entries() == [Entry("folder", "/one")]
    book.settle()
    assert list(ledger.abandoned()) == []


def test_a_child_of_the_owner_does_not_keep_its_ledger():
    """Descriptors are closed on exec, so a QEMU that survives does not look like its run."""
    book = ledger.create("run")
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        book.release()
        (found,) = ledger.abandoned()
        assert found.run == "run"
        found.settle()
        child.kill()


def test_only_one_of_two_sweepers_gets_an_abandoned_ledger():
    ledger.create("run").release()
    (first,) = ledger.abandoned()
    assert list(ledger.abandoned()) == []
    first.settle()


def test_a_ledger_that_another_sweeper_settles_meanwhile_is_not_given_out(monkeypatch):
    """The other one settles it after this one has opened it, but before it gets the lock."""
    ledger.create("run").release()
    (other,) = ledger.abandoned()
    lock = fcntl.flock

    def flock(stream, operation):
        other.settle()
        lock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert list(ledger.abandoned()) == []
    assert list(paths.ledgers_folder().iterdir()) == []


def test_a_ledger_settled_before_it_can_be_opened_does_not_come_back(monkeypatch):
    book = ledger.create("run")
    gone = book.path
    book.settle()
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: [gone])
    assert list(ledger.abandoned()) == []
    assert not gone.exists()


def test_a_sweeper_that_removes_a_new_ledger_before_it_is_locked_is_overcome(monkeypatch):
    lock = fcntl.flock
    seen = []

    def flock(stream, operation):
        if not seen:
            seen.append(stream)
            Path(stream.name).unlink()
        lock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    book = ledger.create("run")
    book.intend("folder", "/one")
    assert book.path.exists()
    assert book.entries() == [Entry("folder", "/one")]
    book.settle()


def test_release_leaves_the_ledger_for_a_sweep():
    book = ledger.create("run")
    book.intend("folder", "/one")
    book.release()
    (found,) = ledger.abandoned()
    assert found.entries() == [Entry("folder", "/one")]
    found.settle()


def test_a_state_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(LabError, match="XDG_STATE_HOME"):
        ledger.create("run")
