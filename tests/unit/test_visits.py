"""Runs that can be visited: their records, the way to their nodes, their logs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sshd import PROGRAM, Sshd

from pytest_ixy import cli, ledger, paths, runs, shell, spots, sweep, timespan
from pytest_ixy.errors import UsageError
from pytest_ixy.logfiles import Logs, Stored, Visited
from pytest_ixy.remote import Access
from pytest_ixy.runs import Visit
from pytest_ixy.spots import Spot

ACCESS = Access("fwd", "127.0.0.1", 40022, "ixy", key="/keys/one", host_key="ssh-ed25519 AAAA")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def begin(tmp_path):
    """Begin a run with machines; ended when the test is over."""
    books = []

    def begin(run, began=1.0, **more):
        book = ledger.create(run)
        books.append(book)
        folder = tmp_path / "ixy-artifacts" / run
        folder.mkdir(parents=True)
        more = {"accesses": {"fwd": ACCESS}, **more}
        runs.write(book, Visit(run, str(folder), str(paths.scratch_folder(run)), began, **more))
        return book

    yield begin
    for book in books:
        book.settle()


def cli_output(capsys, *arguments):
    status = cli.main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("30m", 1800),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1H", 3600),
        (" 7d ", 604800),
        ("90m1s", 5401),
    ],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert timespan.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "0s", "8d", "-1h", "1h 30m", "30m1h", "1.5h", "h", "٣h", "9999999s"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="no time from a second to a week"):
        timespan.parse(text)


def test_a_moment_has_its_day_unless_it_is_today():
    now = time.time()
    assert len(timespan.clock(now)) == len("14:03")
    assert timespan.clock(now + 2 * 86400).startswith("20")


def test_a_record_comes_back_is_private_and_goes_with_its_ledger(begin):
    book = begin("one", consoles={"fwd": "/console"})
    assert runs.read(book.path).accesses == {"fwd": ACCESS}
    assert stat.S_IMODE(book.record.stat().st_mode) == 0o600
    assert runs.hold(book, 99.5) == runs.read(book.path)
    assert runs.read(book.path).until == 99.5
    assert stat.S_IMODE(book.record.stat().st_mode) == 0o600
    book.settle()
    assert list(book.path.parent.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"accesses": {"fwd": {}}}', '{"accesses": {}, "of": 3}'])
def test_of_a_record_of_another_version_no_more_than_the_run_is_known(begin, text, capsys):
    book = begin("one")
    book.record.write_text(text)
    assert runs.read(book.path) == Visit("one")
    assert cli_output(capsys, "status")[:2] == (0, "one: has no machines yet\n")


@pytest.mark.parametrize("text", ["", "[]", '{"of": 3}'])
def test_of_a_spot_of_another_version_nothing_is_known(tmp_path, text):
    (tmp_path / "spots").mkdir()
    (tmp_path / "spots/fwd.json").write_text(text)
    assert spots.find(tmp_path, "fwd") == Spot(".")


def test_of_runs_the_newest_with_machines_is_meant_or_the_one_that_is_named(begin):
    begin("run-a1", 1.0), begin("run-b1", 2.0), begin("run", 1.5)
    early = ledger.create("early")
    assert [visit.run for visit in runs.known()] == ["run-b1", "run", "run-a1", "early"]
    assert runs.find(None).run == "run-b1"
    assert runs.find("a1").run == "run-a1"
    assert runs.find("run").run == "run"
    with pytest.raises(UsageError, match="'1' may be run-b1 or run-a1"):
        runs.find("1")
    with pytest.raises(UsageError, match="No run 'c1' goes on or is held"):
        runs.find("c1")
    early.settle()


def test_a_run_whose_owner_is_dead_cannot_be_visited_and_is_swept_with_its_record(begin):
    book = begin("dead")
    book.release()
    assert runs.known() == []
    assert [swept.run for swept in sweep.sweep()] == ["dead"]
    assert list(book.path.parent.iterdir()) == []


def test_the_ledgers_lock_can_be_handed_to_another_process(begin):
    book = begin("handed")
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[book.fileno()]) as other:
        book.release()
        assert ledger.is_owned(book.path)
        assert list(ledger.abandoned()) == []
        other.stdin.close()
    assert not ledger.is_owned(book.path)


def test_status_tells_what_goes_on_and_what_is_held(begin, capsys):
    assert cli_output(capsys, "status") == (0, "No run goes on, and no testbed is held.\n", "")
    begin("one", time.time() - 120)
    runs.hold(begin("two", time.time() - 7200), time.time() + 1)
    early = ledger.create("early")
    status, out, _ = cli_output(capsys, "status")
    assert status == 0
    assert "one: goes on, machines for 2 minutes\n  fwd      ixy@127.0.0.1:40022\n" in out
    assert "two: held until " in out
    assert "early: has no machines yet\n" in out
    early.settle()


def test_sweep_names_what_is_held_and_spares_it(begin, capsys):
    book = begin("two")
    runs.hold(book, time.time() + 60)
    _, out, _ = cli_output(capsys, "sweep")
    assert "two: held until " in out
    assert "pytest-ixy release two" in out
    assert book.path.exists()


def test_a_run_that_goes_on_is_not_released(begin, capsys):
    begin("one")
    status, _, err = cli_output(capsys, "release", "one")
    assert (status, "one goes on" in err) == (2, True)
    assert cli_output(capsys, "release")[:2] == (0, "No testbed is held.\n")


def test_what_cannot_be_released_is_named_and_the_others_are(begin, capsys, monkeypatch):
    monkeypatch.setattr("pytest_ixy.cli.release.PATIENCE", 0.1)
    for name in ("one", "two"):
        runs.hold(begin(name), time.time() + 60)  # by this process, which is no holder
    status, out, err = cli_output(capsys, "release", "--all")
    assert (status, out) == (1, "")
    assert "two, one could not be unmade" in err or "one, two could not be unmade" in err
    assert "pytest-ixy sweep" in err


def test_a_name_and_all_are_not_asked_for_at_once(capsys):
    with pytest.raises(SystemExit):
        cli.main(["release", "one", "--all"])
    assert "not allowed with" in capsys.readouterr().err


def test_ssh_asks_for_a_node_that_is_there(begin, capsys):
    begin("one")
    status, _, err = cli_output(capsys, "ssh", "pktgen")
    assert (status, "its nodes are: fwd" in err) == (2, True)


@pytest.fixture
def sshd(tmp_path):
    if not PROGRAM.exists():
        pytest.skip("not installed: sshd")
    folder = tmp_path / "keys"
    folder.mkdir()
    server = Sshd(folder)
    server.connect().close()  # it answers
    yield server
    server.stop()


def test_ssh_leads_to_the_spot_with_the_variables_of_the_role(begin, sshd, tmp_path, monkeypatch):
    """Over a real server, with blanks and per cents in all paths, and with none of the user's settings."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b %h 100%"))
    key, place = tmp_path / "key %u one", tmp_path / "it's $HOME"
    place.mkdir()
    key.write_bytes(Path(sshd.access.key).read_bytes())
    key.chmod(0o600)
    access = Access(**{**sshd.access.as_dict(), "key": str(key), "user": sshd.access.user})
    begin("one", accesses={"fwd": access})
    spots.note("one", "fwd", Spot(str(place), "./fwd \x1b[31m", {"WHAT": "a 'quoted' $HOME"}))
    shell.write_known_hosts(paths.scratch_folder("one"), {"fwd": access})
    words = shell.words(access, paths.scratch_folder("one"))
    inner = shell.remote(
        replace(access, user="root"),
        spots.find(paths.scratch_folder("one"), "fwd"),
        "pwd; echo $WHAT; exit 5",
    )
    done = subprocess.run([*words, inner], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, f"{place}\na 'quoted' $HOME\n"), done.stderr

    program = [sys.executable, "-c", "import sys; from pytest_ixy.cli import main; sys.exit(main())"]
    if sshd.access.user == "root":
        done = subprocess.run(
            [*program, "ssh", "fwd"], input="pwd; exit 6\n", capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.splitlines()[-1:]) == (6, [str(place)]), done.stderr
        assert "fwd of one, which goes on" in done.stderr
        assert "./fwd \\x1b[31m" in done.stderr

    key.unlink()
    wrong = replace(access, host_key="ssh-ed25519 " + "A" * 68)
    shell.write_known_hosts(paths.scratch_folder("one"), {"fwd": wrong})
    assert subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 255


def test_the_user_at_a_node_becomes_root_with_sudo():
    assert (
        shell.remote(ACCESS, Spot("./it", "", {"A": "b c"}), "")
        == "cd -- ./it; exec sudo -n env 'A=b c' bash"
    )


def test_a_role_that_nobody_noted_is_visited_at_home(tmp_path):
    assert spots.find(tmp_path, "fwd") == Spot(".")


@pytest.fixture
def bundle(tmp_path):
    """A bundle with hostile logs."""
    folder = tmp_path / "ixy-artifacts" / "old"
    for kind in ("build", "roles", "consoles"):
        (folder / kind).mkdir(parents=True)
    (folder / "build/fwd.log").write_text("$ make\n\x1b[2Jdone\n")
    (folder / "roles/fwd.log").write_text("".join(f"{number}\n" for number in range(100)) + "cut")
    (folder / "roles/fwd-2.log").write_text("second " + "x" * 5000 + "\n")
    (folder / "roles/pktgen.log").write_text("other\n")
    (folder / "roles/secret.log").symlink_to("/etc/passwd")
    (folder / "consoles/fwd.log").symlink_to(folder / "nowhere")
    return folder


def test_logs_shows_the_ends_in_order_and_nothing_raw(bundle, capsys):
    status, out, _ = cli_output(capsys, "logs", "fwd", "-n", "3", "-f")  # -f ends, as a bundle is over
    assert status == 0
    assert out.splitlines() == [
        "==> ixy-artifacts/old/build/fwd.log <==", "$ make", "\\x1b[2Jdone",
        "==> ixy-artifacts/old/roles/fwd-2.log <==", "second " + "x" * 1993,
        "==> ixy-artifacts/old/roles/fwd.log <==", "97", "98", "99",
    ]  # fmt: skip
    assert cli_output(capsys, "logs", "fwd", "-n1")[1].splitlines()[-1] == "cut"
    assert "root:" not in cli_output(capsys, "logs", "--run", str(bundle))[1]


def test_logs_of_a_role_without_any_says_so(bundle, capsys):
    status, out, err = cli_output(capsys, "logs", "nobody")
    assert (status, out, err) == (0, "", "There is no log of 'nobody' in ixy-artifacts/old.\n")


def test_logs_are_of_what_is_newest(bundle, begin, capsys, tmp_path):
    book = begin("new", consoles={"fwd": str(tmp_path / "console")})
    (tmp_path / "console").write_text("booted\n")
    (tmp_path / "ixy-artifacts/new/roles").mkdir()
    (tmp_path / "ixy-artifacts/new/roles/fwd.log").write_text("of new\n")
    os.utime(bundle, (1, 1))
    assert cli_output(capsys, "logs")[1].splitlines() == [
        "==> ixy-artifacts/new/roles/fwd.log <==", "of new", "==> console <==", "booted",
    ]  # fmt: skip
    (tmp_path / "ixy-artifacts/new-2/roles").mkdir(parents=True)
    (tmp_path / "ixy-artifacts/new-2/roles/fwd.log").write_text("of the second trial\n")
    os.utime(tmp_path / "ixy-artifacts/new", (2, 2))
    assert "of the second trial" in cli_output(capsys, "logs", "--run", "new", "fwd")[1]
    os.utime(bundle)
    os.utime(tmp_path / "ixy-artifacts/new-2", (3, 3))
    assert "old/roles" in cli_output(capsys, "logs")[1]
    assert Visited(runs.read(book.path)).goes_on
    assert not Stored(bundle).goes_on


def test_what_comes_later_is_shown_by_whole_lines(bundle, tmp_path):
    log, said = bundle / "roles/pktgen.log", []
    logs = Logs(Stored(bundle).files, "pktgen", said.append)
    logs.show(10, whole=True)
    title = said.pop(0)
    with log.open("a") as stream:
        for piece, expected in [("one\ntw", ["one"]), ("o", []), ("\n", ["two"])]:
            stream.write(piece)
            stream.flush()
            said.clear()
            logs.go_on()
            assert said == expected
    (bundle / "roles/pktgen-2.log").write_text("again\n")
    logs.go_on()
    assert said == ["two", title.replace("pktgen", "pktgen-2"), "again"]


def test_a_log_that_is_begun_anew_is_shown_from_its_beginning_and_one_that_goes_is_forgotten(tmp_path):
    console, said = tmp_path / "console", []
    console.write_text("the first machine\n")
    logs = Logs(lambda: [console], None, said.append)
    logs.show(10, whole=True)
    said.clear()
    console.write_text("anew\n")
    logs.go_on()
    assert said == ["anew"]
    console.unlink()
    logs.go_on()
    assert said == ["anew"]


def test_following_ends_with_the_run(begin, tmp_path):
    book = begin("one")
    (tmp_path / "ixy-artifacts/one/roles").mkdir()
    log = tmp_path / "ixy-artifacts/one/roles/fwd.log"
    log.write_text("first\n")
    program = [sys.executable, "-u", "-c", "import sys; from pytest_ixy.cli import main; sys.exit(main())"]
    with subprocess.Popen([*program, "logs", "-f"], stdout=subprocess.PIPE, text=True) as process:
        assert [process.stdout.readline() for _ in range(2)][1] == "first\n"
        with log.open("a") as stream:
            stream.write("last\n")
        assert process.stdout.readline() == "last\n"
        book.settle()
        assert process.wait(60) == 0
