"""The command line as a user meets it, most of it as a program of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need_networks, need_programs
from sshd import until

from pytest_ixy import __version__, cli, doctor, ledger, paths, sweep
from pytest_ixy.check import Check, State, as_root, ok
from pytest_ixy.cli import terminal
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.progress import Step


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IXY_")]:
        monkeypatch.delenv(name)


def program(*arguments):
    return [sys.executable, "-c", "import sys; from pytest_ixy.cli import main; sys.exit(main())", *arguments]


def run(*arguments, **more):
    return subprocess.run(
        program(*arguments), capture_output=True, text=True, check=False, timeout=120, **more
    )


def test_the_version_is_told():
    assert run("--version").stdout == f"pytest-ixy {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        (["--help"], "pytest-ixy sweep"),
        (["doctor", "--help"], "--ixy-accel=kvm"),
        (["image", "--help"], "pytest-ixy image remove --old"),
        (["image", "build", "--help"], "--force"),
        (["sweep", "--help"], "--dry-run"),
        (["status", "--help"], "pytest-ixy ssh fwd"),
        (["ssh", "--help"], "pytest-ixy ssh fwd -- lspci"),
        (["logs", "--help"], "pytest-ixy logs fwd -f"),
        (["release", "--help"], "pytest-ixy release --all"),
        (["judge", "--help"], "pytest-ixy judge --json"),
        (["gate", "--help"], "pytest-ixy gate --junit report.xml --policy gate.toml"),
    ],
)
def test_help_teaches_by_example(arguments, example):
    done = run(*arguments)
    assert done.returncode == 0
    assert example in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["image"],
        ["image", "nonsense"],
        ["doctor", "extra"],
        ["ssh"],
        ["ssh", "fwd", "extra"],
        ["ssh", "fwd"],
        ["ssh", "--", "fwd"],
        ["logs", "-n", "-1"],
        ["logs", "fwd"],
        ["logs", "--run=nowhere"],
        ["release", "nothing"],
        ["doctor", "--ixy-memory=much"],
        ["doctor", "--ixy-accel=xen"],
        ["doctor", "--ixy-config=/nowhere/config.toml"],
        ["image", "remove"],
        ["image", "remove", "--old", "--all"],
        ["image", "remove", "--old", "0123456789ab"],
    ],
)
def test_a_wrong_command_line_is_status_2_without_a_traceback(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_variable_is_a_wrong_command_line(monkeypatch):
    monkeypatch.setenv("IXY_MEMORY", "much")
    done = run("doctor")
    assert done.returncode == 2
    assert "IXY_MEMORY" in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [(UsageError("wrong", hint="right"), 2), (LabError("no luck"), 1), (PermissionError(13, "no", "/x"), 1)],
)
def test_errors_are_text_and_a_status(monkeypatch, capsys, error, status):
    def fail(_settings):
        raise error

    monkeypatch.setattr(doctor, "examine", fail)
    assert cli.main(["doctor"]) == status
    assert capsys.readouterr().err == f"pytest-ixy: {error}\n"


@pytest.mark.parametrize(("interruption", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_what_fails_while_all_is_taken_down_does_not_hide_the_interruption(
    monkeypatch, capsys, interruption, status
):
    def interrupted(*_):
        try:
            raise interruption
        finally:
            raise LabError("The machine could not be asked to end.")

    monkeypatch.setattr(doctor, "examine", interrupted)
    assert cli.main(["doctor"]) == status
    assert "could not be asked" in capsys.readouterr().err


def test_the_signal_handler_of_the_caller_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["sweep"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_goes_away_is_no_traceback():
    """As in `pytest-ixy doctor | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stream:
        done = subprocess.run(
            program("image", "list"), stdout=stream, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == ""
    assert done.returncode == 1


def set_doctor(monkeypatch, *found):
    monkeypatch.setattr(doctor, "examine", lambda _settings: iter(found))


def test_the_doctor_prints_a_table_and_one_line_to_install_all(monkeypatch, capsys):
    monkeypatch.setattr("pytest_ixy.cli.doctor.shutil.which", lambda *_, **__: "/usr/bin/apt-get")
    set_doctor(
        monkeypatch,
        ok("git", "2.39"),
        Check("QEMU", State.MISSING, "is not installed", package="qemu-system-x86"),
        Check("tun", State.MISSING, "is not there", mend="sudo modprobe tun"),
        Check("mke2fs", State.WARN, "is not installed", package="e2fsprogs"),
        Check("qemu-img", State.MISSING, "is not installed", package="qemu-utils"),
    )
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[0].split() == ["ok", "git", "2.39"]
    assert lines[1].split()[:2] == ["MISSING", "QEMU"]
    assert lines[3].strip() == "sudo modprobe tun"
    assert [line for line in lines if "apt-get" in line] == [
        "  " + as_root("apt-get install qemu-system-x86 e2fsprogs qemu-utils")
    ]
    assert lines[-1] == "This machine cannot run pytest-ixy yet: 3 things are missing."


def test_warnings_do_not_keep_a_run_from_working(monkeypatch, capsys):
    set_doctor(monkeypatch, ok("git", "2.39"), Check("KVM", State.WARN, "not used"))
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("\nThis machine can run pytest-ixy.\n")


def test_the_real_doctor_agrees_with_its_status():
    done = run("doctor", "--ixy-accel=tcg")
    assert done.stderr == ""
    marks = {line.split()[0] for line in done.stdout.splitlines() if re.match(r"(ok|warn|MISSING) ", line)}
    assert "ok" in marks
    assert done.returncode == ("MISSING" in marks)


def test_the_real_doctor_runs_on_a_bare_machine(tmp_path):
    text = "import sys; from pytest_ixy import cli, programs; programs.EXTRA_PATH = ()"
    text += "; sys.exit(cli.main(['doctor']))"
    command = [sys.executable, "-c", text]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "qemu-system-x86 qemu-utils" in done.stdout


def test_colours_are_for_terminals_only(monkeypatch):
    assert terminal.mark(State.OK, 7) == "ok     "
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.mark(State.OK, 7) == "\x1b[32mok     \x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.mark(State.OK, 7) == "ok     "


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 29, "1.5 GiB")],
)
def test_sizes(count, text):
    assert terminal.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "seconds"), (59, "seconds"), (60, "1 minute"), (7300, "2 hours"), (90000, "1 day")],
)
def test_ages(seconds, text):
    assert terminal.age(seconds) == text


def test_progress_without_a_terminal_is_plain_lines(capsys):
    display = terminal.Display()
    display.show(Step("boot", "", 0))
    for second in range(20):
        display.show(Step("boot", f"line\x1b[2J {second}", second))
    display.show(Step("boot", "", 20, over=True))
    assert capsys.readouterr().err == "boot: … (0 s)\nboot: 20.0 s\n"


def test_progress_on_a_terminal_is_one_line_that_changes(capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(terminal.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(terminal, "REFRESH", 0)
    display = terminal.Display()
    display.show(Step("boot", "\x1b[2J" + "x" * 100, 0))
    display.show(Step("boot", "", 20, over=True))
    first, second = capsys.readouterr().err.removeprefix("\r\x1b[K").split("\r\x1b[K")
    assert len(first) == 29
    assert "\x1b" not in first
    assert second == "boot: 20.0 s\n"


@pytest.fixture
def killed():
    """What a killed run left: a process and a folder; gives its name and the process."""
    name = f"cli-test-{secrets.token_hex(6)}"
    book = ledger.create(name)
    folder = paths.scratch_folder(name)
    book.intend("folder", str(folder))
    book.intend("process", f"{name}-vm")
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"{name}-vm"]) as process:
        assert until(lambda: sweep.processes(f"{name}-vm"))
        book.release()
        yield name, process
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_dry_sweep_tells_and_removes_nothing(killed):
    name, process = killed
    for _ in range(2):
        done = run("sweep", "--dry-run")
        assert done.returncode == 0
        assert done.stdout == (
            f"{name}: would remove\n  process {name}-vm\n  folder {paths.scratch_folder(name)}\n"
        )
    assert process.poll() is None
    assert paths.scratch_folder(name).exists()


def test_a_forgotten_run_is_told_to_the_last_thing(killed):
    name, *_ = killed
    done = run("sweep", "--forget", name)
    assert done.returncode == 0
    assert "remove by hand" in done.stdout
    assert f"{name}-vm" in done.stdout
    assert run("sweep", "--forget", name).returncode == 1


def test_a_sweep_removes_and_tells(killed):
    name, process = killed
    done = run("sweep")
    assert done.returncode == 0
    assert done.stdout == f"{name}: removed\n  process {name}-vm\n  folder {paths.scratch_folder(name)}\n"
    assert process.wait(10) == -signal.SIGKILL
    assert not paths.scratch_folder(name).exists()
    assert run("sweep").stdout == "No killed run has left anything.\n"


def test_what_cannot_be_swept_is_status_1():
    book = ledger.create("run")
    book.intend("folder", "/etc")
    book.release()
    done = run("sweep")
    assert done.returncode == 1
    assert done.stderr == "run: could not remove folder /etc: not a scratch folder of a run\n"
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_doctor_ends_without_a_traceback(tmp_path, number, status):
    """In the middle of a program that hangs, which is ended too."""
    (tmp_path / "git").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    (tmp_path / "git").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(
        program("doctor"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    assert "Traceback" not in err
    hung = int((tmp_path / "pid").read_text())
    assert until(lambda: not Path(f"/proc/{hung}").exists())


def test_the_doctor_finds_what_this_machine_has():
    need_networks()
    need_programs("qemu-system-x86_64", "qemu-img", "git")
    out = run("doctor", "--ixy-accel=tcg").stdout
    assert re.search(r"^ok +namespaces ", out, re.MULTILINE)
    assert re.search(r"^ok +QEMU +\d+\.\d+", out, re.MULTILINE)
