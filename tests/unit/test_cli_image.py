"""`pytest-ixy image`: the cache, what uses it, and a real QEMU that boots nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock
from needs import need_programs
from sshd import until

from pytest_ixy import cli, ledger, paths, sweep
from pytest_ixy.providers.qemu import recipe, store

OLD, CLOUD = "0123456789ab", "cloud-0123456789ab"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache, own"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IXY_")]:
        monkeypatch.delenv(name)


def make(name, *, states=0, size=4096, age=0.0, disk=True):
    """Something that stands in the cache as an image does."""
    folder = paths.images_folder() / name
    folder.mkdir(parents=True)
    (folder / "key").write_text("key")
    made = time.time() - age
    os.utime(folder / "key", (made, made))
    if disk:
        (folder / "disk").write_bytes(b"x" * size)
        os.truncate(folder / "disk", 8 << 30)
    for number in range(states):
        (folder / f"state-{number}").mkdir()
        (folder / f"state-{number}/memory").write_text("x")
    (folder.parent / f"{name}.lock").write_text("")
    return folder


def names():
    return sorted(path.name for path in paths.images_folder().glob("*"))


@pytest.fixture
def three():
    make(recipe.digest(), states=2)
    make(OLD, states=1, size=3 << 20, age=7200)
    make(CLOUD, age=90000)


def test_an_empty_cache_is_told(capsys):
    assert cli.main(["image", "list"]) == 0
    assert "pytest-ixy image build makes one" in capsys.readouterr().out


def test_images_are_listed_with_what_they_take_on_disk(three, capsys):
    make("ffffffffffff", disk=False, age=10)
    (paths.images_folder() / "something-else").mkdir()
    assert cli.main(["image", "list"]) == 0
    head, *rows = [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()]
    assert head == ["NAME", "RECIPE", "SIZE", "AGE", "BOOTED MACHINES"]
    assert [row[:2] + row[3:] for row in rows] == [
        [recipe.digest(), "current", "seconds", "2"],
        ["ffffffffffff", "broken", "seconds", "0"],
        [OLD, "old", "2 hours", "1"],
        [CLOUD, "cloud", "1 day", "0"],
    ]
    assert rows[2][2] == "3.0 MiB"


def test_a_named_image_is_removed_with_its_lock(three, capsys):
    assert cli.main(["image", "remove", OLD]) == 0
    assert f"removed {OLD}" in capsys.readouterr().out
    assert not [name for name in names() if name.startswith(OLD)]
    assert recipe.digest() in names()
    assert CLOUD in names()


def test_old_means_what_this_version_does_not_use(three):
    make("ffffffffffff", disk=False)
    assert cli.main(["image", "remove", "--old"]) == 0
    assert [name for name in names() if not name.endswith(".lock")] == sorted([recipe.digest(), CLOUD])


def test_all_means_all_and_nothing_else(three):
    (paths.images_folder() / "something-else").mkdir()
    assert cli.main(["image", "remove", "--all"]) == 0
    assert names() == ["something-else"]


def test_nothing_to_remove_is_no_error(capsys):
    assert cli.main(["image", "remove", "--all"]) == 0
    assert capsys.readouterr().out == "There is nothing to remove.\n"


def test_removing_leaves_neither_scratch_nor_ledger(three):
    assert cli.main(["image", "remove", "--all"]) == 0
    assert list(paths.scratch_folder("any").parent.iterdir()) == []
    assert list(paths.ledgers_folder().iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["..", ".", "/", "../runs", "something-else", f"../images/{OLD}", f"{OLD}/", "*", f"{OLD}.lock", "-"],
)
def test_what_is_not_the_name_of_an_image_is_refused(three, name, capsys):
    (paths.images_folder() / "something-else").mkdir()
    before = names()
    assert cli.main(["image", "remove", name]) == 2
    assert "There is no image" in capsys.readouterr().err
    assert names() == before


def test_one_wrong_name_removes_none(three):
    assert cli.main(["image", "remove", OLD, "ffffffffffff"]) == 2
    assert OLD in names()


def test_a_link_in_the_place_of_an_image_does_not_lead_out(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "disk").write_text("precious")
    paths.images_folder().mkdir(parents=True)
    (paths.images_folder() / OLD).symlink_to(victim)
    cli.main(["image", "remove", "--all"])
    assert (victim / "disk").read_text() == "precious"


@pytest.fixture
def machine():
    """A real QEMU, standing still, that has an image of the cache on its command line."""
    need_programs("qemu-system-x86_64")
    folder = make(OLD)
    disk = f"if=none,id=d,format=raw,file={store.quote(folder / 'disk')}"
    command = ["qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-m", "16", "-drive", disk]
    with subprocess.Popen(
        [*command, "-monitor", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as qemu:
        assert qemu.stdout.read(4) == b"QEMU"
        yield qemu
        qemu.kill()


def test_an_image_in_use_stays_and_others_go(machine, capsys):
    make("ffffffffffff")
    assert cli.main(["image", "remove", "--all"]) == 1
    err = capsys.readouterr().err
    assert OLD in err
    assert str(machine.pid) in err
    assert [name for name in names() if not name.endswith(".lock")] == [OLD]
    assert (paths.images_folder() / OLD / "disk").exists()


def test_an_image_is_free_when_the_run_is_over(machine):
    machine.kill()
    machine.wait()
    assert cli.main(["image", "remove", OLD]) == 0


def test_only_qemu_is_a_user(three):
    """A pager or an editor that has the path on its command line is none."""
    folder = paths.images_folder() / OLD
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", f"{folder}/disk"]) as other:
        try:
            assert store.users(folder) == []
        finally:
            other.kill()


def test_an_image_that_is_being_made_is_not_removed(three, capsys):
    with FileLock(f"{paths.images_folder() / OLD}.lock"):
        assert cli.main(["image", "remove", OLD]) == 1
    assert "being made" in capsys.readouterr().err
    assert OLD in names()


def test_without_tools_building_names_the_package(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("pytest_ixy.programs.EXTRA_PATH", ())
    assert cli.main(["image", "build", "--ixy-accel=tcg"]) == 1
    assert "sudo apt-get install" in capsys.readouterr().err
    assert_nothing_left()


def assert_nothing_left():
    assert list(paths.scratch_folder("any").parent.glob("*")) == []
    assert list(paths.ledgers_folder().iterdir()) == []


@pytest.fixture
def blank(tmp_path):
    """A disk without anything on it: QEMU starts, and nobody ever answers."""
    need_programs("qemu-system-x86_64", "qemu-img", "setpriv")
    disk = tmp_path / "blank.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    return disk


def building(blank, tmp_path, connect):
    (tmp_path / "config.toml").write_text(f"[timeouts]\nconnect = {connect}\n")
    text = "import sys; from pytest_ixy.cli import main; sys.exit(main())"
    options = [f"--ixy-image={blank}", "--ixy-accel=tcg", f"--ixy-config={tmp_path}/config.toml"]
    return subprocess.Popen(
        [sys.executable, "-c", text, "image", "build", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def machines(tmp_path):
    return store.users(paths.images_folder()) or store.users(paths.scratch_folder("any").parent)


def test_a_machine_that_never_answers_is_a_lab_error_and_leaves_nothing(blank, tmp_path):
    with building(blank, tmp_path, connect=2) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert "pytest-ixy: " in err
    assert "Traceback" not in err
    assert machines(tmp_path) == []
    assert_nothing_left()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_takes_everything_down(blank, tmp_path, number, status):
    with building(blank, tmp_path, connect=300) as process:
        try:
            assert until(lambda: machines(tmp_path))
            process.send_signal(number)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert machines(tmp_path) == []
    assert_nothing_left()


def test_a_killed_build_is_swept(blank, tmp_path, capsys):
    with building(blank, tmp_path, connect=300) as process:
        try:
            assert until(lambda: machines(tmp_path))
        finally:
            process.kill()
    assert until(lambda: not machines(tmp_path))
    (book,) = ledger.abandoned()
    assert {entry.kind for entry in book.entries()} == {"folder", "process"}
    book.release()
    assert cli.main(["sweep"]) == 0
    assert "removed" in capsys.readouterr().out
    assert_nothing_left()
    assert list(sweep.survey()) == []
