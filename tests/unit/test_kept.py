"""The cache of builds: bounded, and looked after with `pytest-ixy builds`."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest

from pytest_ixy import cli, kept, paths
from pytest_ixy.errors import UsageError
from pytest_ixy.kept import KeptBuild, Taken
from pytest_ixy.pack import content

NAMES = [kept.name_of(str(number)) for number in range(4)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def keep(tmp_path):
    def make(name, size=1000, age=0.0, log=b"said\n", label="ixy@0123456"):
        archive = tmp_path / "archive"
        archive.write_bytes(os.urandom(size))
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        about = KeptBuild(label=label, image="0123456789ab", made=datetime.now(UTC), steps=())
        kept.keep(name, Taken(about, archive, log), scratch)
        used = time.time() - age
        os.utime(paths.builds_folder() / name, (used, used))
        return archive.read_bytes()

    return make


def names():
    return {one.name for one in kept.stored()}


def test_what_is_kept_comes_back(keep, tmp_path):
    data = keep(NAMES[0], age=1000)
    taken = kept.take(NAMES[0], tmp_path, lambda _: None)
    assert taken.archive.read_bytes() == data
    assert taken.archive.is_relative_to(tmp_path)
    assert (taken.log, taken.record.label) == (b"said\n", "ixy@0123456")
    assert time.time() - kept.stored()[0].used < 100
    assert kept.take(NAMES[1], tmp_path, lambda _: None) is None


def test_what_nobody_uses_goes(keep):
    keep(NAMES[0], age=kept.UNUSED + 10)
    keep(NAMES[1], age=kept.UNUSED - 1000)
    keep(NAMES[2])
    assert names() == {NAMES[1], NAMES[2]}


def test_what_was_not_used_for_longest_makes_room(keep, monkeypatch):
    monkeypatch.setattr(kept, "ROOM", 12_000)
    for name, age in zip(NAMES, (10, 30, 20, 0), strict=True):
        keep(name, size=3500, age=age)
    assert names() == {NAMES[0], NAMES[2], NAMES[3]}


def test_a_long_log_is_cut(keep, tmp_path):
    keep(NAMES[0], log=b"x" * kept.LOG_LIMIT + b"the end")
    taken = kept.take(NAMES[0], tmp_path, lambda _: None)
    assert len(taken.log) == kept.LOG_LIMIT
    assert taken.log.endswith(b"the end")


@pytest.mark.parametrize("name", ["", "..", "../../home", "lock", "0" * 23])
def test_nothing_else_is_ever_removed(name):
    with pytest.raises(UsageError, match="is not the name of a kept build"):
        kept.remove(name)


def test_the_command_lists_and_removes(keep, capsys):
    assert cli.main(["builds", "list"]) == 0
    assert "There is no build in" in capsys.readouterr().out
    keep(NAMES[0], size=3 << 20, age=7200)
    keep(NAMES[1], label="odd\x1b[31m")
    (paths.builds_folder() / NAMES[1] / kept.RECORD).write_text("{")
    cli.main(["builds", "list"])
    damaged, good = sorted(capsys.readouterr().out.splitlines()[1:], key=lambda line: "ixy@" in line)
    assert "damaged" in damaged
    assert "3.0 MiB" in good
    assert "2 hours" in good
    assert cli.main(["builds", "remove", NAMES[0]]) == 0
    assert names() == {NAMES[1]}
    assert cli.main(["builds", "remove", NAMES[0]]) == 2
    assert cli.main(["builds", "remove"]) == 2
    assert cli.main(["builds", "remove", "--all"]) == 0
    assert names() == set()


def test_the_content_of_a_work_tree(tmp_path):
    def tree(name):
        folder = tmp_path / name
        (folder / ".git").mkdir(parents=True)
        (folder / ".git" / "HEAD").write_text(name)
        (folder / "src").mkdir()
        (folder / "src" / "main.c").write_text("int main;\n")
        (folder / "link").symlink_to("src/main.c")
        return folder

    first = content(tree("a"))
    assert content(tree("b")) == first
    changes = {
        "text": lambda folder: (folder / "src" / "main.c").write_text("int main; \n"),
        "mode": lambda folder: (folder / "src" / "main.c").chmod(0o755),
        "name": lambda folder: (folder / "src" / "main.c").rename(folder / "src" / "main.h"),
        "link": lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("src")),
        "no link": lambda folder: ((folder / "link").unlink(), (folder / "link").write_text("src/main.c")),
        "more": lambda folder: (folder / "src" / "new").write_text(""),
    }
    found = {first}
    for name, change in changes.items():
        change(folder := tree(name))
        found.add(content(folder))
    assert len(found) == 1 + len(changes)
