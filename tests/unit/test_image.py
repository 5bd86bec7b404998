from __future__ import annotations

import io
import subprocess
import tarfile

import pytest
from needs import need_programs

from pytest_ixy import paths
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import image, recipe
from pytest_ixy.providers.qemu.image import Image


@pytest.fixture
def draft(tmp_path, monkeypatch):
    """A draft with a small root in a folder whose name no shell should read."""
    need_programs("mke2fs", "tar", "unshare")
    monkeypatch.setattr(recipe, "DISK", "16M")
    folder = tmp_path / 'a b\'c "$(touch oops)"; touch oops'
    folder.mkdir()
    with tarfile.open(folder / "root.tar", "w") as tar:
        member = tarfile.TarInfo("./etc/motd")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"hello"))
    return folder


def test_the_disk_is_written_in_a_folder_of_any_name(draft, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image._write_disk(draft, tmp_path / "log")
    command = ["/sbin/debugfs", "-R", "cat /etc/motd", draft / "disk"]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"hello"
    assert sorted(path.name for path in draft.iterdir()) == ["disk", "root.tar"]
    assert not (tmp_path / "oops").exists()


def test_nothing_is_written_elsewhere_when_the_folder_is_gone(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(LabError, match="Writing the image's file system failed"):
        image._write_disk(tmp_path / "gone", tmp_path / "log")
    assert not list((tmp_path / "here").iterdir())


def test_the_log_of_a_failed_build_outlives_the_run(tmp_path, monkeypatch):
    """A suite that does not exist makes the real mmdebstrap fail."""
    need_programs("mmdebstrap")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(image, "NEEDED_SPACE", 0)
    monkeypatch.setattr(recipe, "SUITE", "no-such-suite")
    kept = paths.state_folder() / "image-build.log"
    kept.parent.mkdir(parents=True)
    kept.write_text("of an earlier build")
    wanted = Image("none", paths.images_folder() / "none")
    wanted.folder.parent.mkdir(parents=True)
    with pytest.raises(LabError) as caught:
        image.build(wanted, lambda _line: None, tmp_path / "scratch")
    assert str(kept) in caught.value.hint
    assert kept.read_text().strip().endswith(caught.value.what.splitlines()[-1])
    assert "earlier" not in kept.read_text()
