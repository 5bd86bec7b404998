"""Files to and from a node: a real SSH server on this machine."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import tarfile
from dataclasses import replace

import pytest
import zstandard
from sshd import Sshd, needs, needs_root

from pytest_ixy.errors import LabError
from pytest_ixy.remote import RemoteFileMissing, transfer

pytest_plugins = ["sshd_fixtures"]

SIZES = [0, 1, 8 * 1024 * 1024 + 7]


@pytest.fixture(scope="module")
def bare_host(tmp_path_factory):
    """A node that has no zstd."""
    folder = tmp_path_factory.mktemp("bare")
    tools = folder / "bin"
    tools.mkdir()
    for name in (
        "bash",
        "cat",
        "chmod",
        "dirname",
        "env",
        "head",
        "mkdir",
        "mv",
        "rm",
        "setsid",
        "stat",
        "tar",
    ):
        (tools / name).symlink_to(shutil.which(name))
    server = Sshd(folder, f"SetEnv PATH={tools}")
    with server.connect() as host:
        yield host
    server.stop()


@pytest.fixture(params=["zstd", "no zstd"])
def either(request):
    """A node with zstd, and one without."""
    if request.param == "zstd" and not shutil.which("zstd"):
        pytest.skip("not installed: zstd")
    return request.getfixturevalue("host" if request.param == "zstd" else "bare_host")


def content(size):
    noise = random.Random(size)  # compressible in part, as a capture is
    return (noise.randbytes(40) + bytes(60)) * (size // 100) + noise.randbytes(size % 100)


def archive_of(tmp_path, files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    path = tmp_path / "target.tar.zst"
    path.write_bytes(zstandard.compress(raw.getvalue()))
    return path


@needs_root
@pytest.mark.parametrize("size", SIZES)
def test_upload_and_fetch_give_the_same_bytes(either, tmp_path, size):
    data = content(size)
    sent, fetched = [], []
    source = tmp_path / "source"
    source.write_bytes(data)
    either.upload(source, str(tmp_path / "new folder" / "it's $(x)"), mode=0o640, progress=sent.append)
    remote = tmp_path / "new folder" / "it's $(x)"
    assert remote.read_bytes() == data
    assert remote.stat().st_mode & 0o777 == 0o640
    local = tmp_path / "local" / "capture.pcap"
    assert either.fetch(str(remote), local, timeout=60, progress=fetched.append) == size
    assert local.read_bytes() == data
    assert sorted(fetched) == fetched
    assert (sent[-1:], fetched[-1:]) == (([size], [size]) if size else ([], []))
    assert [path.name for path in local.parent.iterdir()] == ["capture.pcap"]
    assert [path.name for path in remote.parent.iterdir()] == ["it's $(x)"]


def test_upload_replaces_a_file_by_bytes(host, tmp_path):
    (tmp_path / "file").write_text("old and longer")
    host.upload(b"new", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "new"


def test_words_of_a_node_cannot_harm_a_terminal(host, tmp_path):
    with pytest.raises(LabError) as caught:
        host.upload(b"x", "/proc/\033[2J/file", timeout=30)
    assert "\\x1b[2J" in caught.value.what
    assert "\033" not in caught.value.what


def test_upload_of_a_missing_file_is_a_lab_error(host, tmp_path):
    with pytest.raises(LabError, match=r"cannot read .*none: No such file"):
        host.upload(tmp_path / "none", str(tmp_path / "file"))


@needs_root
@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
def test_fetch_tells_a_missing_file(host, tmp_path, kind):
    remote = tmp_path / "capture.pcap"
    if kind == "folder":
        remote.mkdir()
    elif kind == "fifo":
        os.mkfifo(remote)
    with pytest.raises(RemoteFileMissing, match=r"node fwd: there is no file .*/capture\.pcap"):
        host.fetch(str(remote), tmp_path / "local", timeout=30)
    assert not (tmp_path / "local").exists()


@needs_root
def test_fetch_refuses_what_is_too_large(host, tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LabError, match="1,099,511,627,776 bytes, more than the 1,000 allowed"):
        host.fetch(str(tmp_path / "sparse"), tmp_path / "local", timeout=30, limit=1000)


@needs_root
@pytest.mark.parametrize("header", ["\u00b2 plain", "1 bz2", "1", "-1 plain", "9" * 5000 + " plain"])
def test_fetch_refuses_an_announcement_that_makes_no_sense(host, tmp_path, monkeypatch, header):
    monkeypatch.setattr(transfer, "_FETCH", f"echo 'ixy: {header}' >&2; echo x")
    with pytest.raises(LabError, match=r"node fwd: reading /a: the node (announced|said) "):
        host.fetch("/a", tmp_path / "a", timeout=30)
    assert not list(tmp_path.iterdir())


STREAMS = {"plain": "cat", "zstd": "zstd -1 -cq"}


@needs_root
@needs("zstd")
@pytest.mark.parametrize("how", STREAMS)
def test_fetch_takes_no_more_than_was_announced(host, tmp_path, monkeypatch, how):
    """The file has grown since: by more than a window of the channel, by one byte, not at all."""
    for more in (50_000_000, 1, 0):
        script = f"echo 'ixy: 3000000 {how}' >&2; head -c {3_000_000 + more} /dev/zero | {STREAMS[how]}"
        monkeypatch.setattr(transfer, "_FETCH", script)
        told = []
        assert host.fetch("/a", tmp_path / "a", timeout=60, progress=told.append) == 3_000_000 == told[-1]
        assert (tmp_path / "a").read_bytes() == bytes(3_000_000)


@needs_root
@needs("zstd")
@pytest.mark.parametrize(
    ("how", "words"), [("plain", "2,999,999"), ("zstd", "2,999,999"), ("cut zstd", "[0-9,]+")]
)
def test_fetch_tells_that_too_little_came(host, tmp_path, monkeypatch, how, words):
    stream = {**STREAMS, "cut zstd": "zstd -1 -cq | head -c 200"}[how]
    script = f"echo 'ixy: 3000000 {how.split()[-1]}' >&2; head -c 2999999 /dev/zero | {stream}"
    monkeypatch.setattr(transfer, "_FETCH", script)
    with pytest.raises(LabError, match=f"node fwd: reading /a: {words} of 3,000,000 bytes came"):
        host.fetch("/a", tmp_path / "a", timeout=30)
    assert not list(tmp_path.iterdir())


@needs_root
def test_fetch_tells_what_is_no_zstd(host, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "_FETCH", "echo 'ixy: 9 zstd' >&2; echo no zstd")
    with pytest.raises(LabError, match="broken zstd stream"):
        host.fetch("/a", tmp_path / "a", timeout=30)
    assert not list(tmp_path.iterdir())


@needs_root
def test_what_fetch_tells_of_can_be_read_already(either, tmp_path):
    data = content(SIZES[-1])
    (tmp_path / "remote").write_bytes(data)
    begun, read = [], []

    def grew(done):
        read.append((done, begun[0][0].read_bytes()))

    def begin(part, size):
        begun.append((part, size, part.stat().st_size))

    either.fetch(str(tmp_path / "remote"), tmp_path / "local", timeout=60, progress=grew, begun=begin)
    assert begun == [(tmp_path / "local.part", len(data), 0)]
    assert len(read) > 2
    assert all(there == data[:done] for done, there in read)


@needs_root
def test_fetch_is_bounded_in_time_and_leaves_nothing(host, tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "out").mkdir()
    with pytest.raises(LabError, match=r"reading .*sparse: not done in 0.2 s"):
        host.fetch(str(tmp_path / "sparse"), tmp_path / "out" / "local", timeout=0.2)
    assert list((tmp_path / "out").iterdir()) == []


@needs_root
def test_fetch_of_a_growing_file_gives_its_size_at_the_start(host, tmp_path):
    writer = host.start(f"while :; do head -c 65536 /dev/zero; sleep 0.01; done >{tmp_path}/growing")
    done = host.run(f"until [ -s {tmp_path}/growing ]; do sleep 0.05; done", timeout=30)
    assert done.ok
    size = host.fetch(str(tmp_path / "growing"), tmp_path / "local", timeout=60)
    writer.stop()
    assert 0 < size == (tmp_path / "local").stat().st_size <= (tmp_path / "growing").stat().st_size


def test_unpack_makes_the_folder(either, tmp_path):
    files = {"ixy-ci.toml": b"x = 1\n", "src/main.c": content(3_000_000)}
    told = []
    archive = archive_of(tmp_path, files)
    either.unpack(archive, str(tmp_path / "on the node"), timeout=60, progress=told.append)
    found = {
        str(path.relative_to(tmp_path / "on the node")) for path in (tmp_path / "on the node").rglob("*.*")
    }
    assert found == set(files)
    assert (tmp_path / "on the node" / "src" / "main.c").read_bytes() == files["src/main.c"]
    assert told


def test_unpack_of_something_else_is_a_lab_error(either, tmp_path):
    (tmp_path / "no.tar.zst").write_bytes(b"not an archive at all")
    with pytest.raises(LabError):
        either.unpack(tmp_path / "no.tar.zst", str(tmp_path / "there"), timeout=30)


@needs("zstd")
def test_what_is_packed_unpacks_to_the_same(host, tmp_path):
    tree = tmp_path / "it's $(x)"
    (tree / "empty").mkdir(parents=True)
    (tree / "program").write_bytes(content(3_000_000))
    (tree / "program").chmod(0o751)
    (tree / "-rf").symlink_to("program")
    os.utime(tree / "program", (1_000_000_000, 1_000_000_000))
    size = host.pack(str(tree), tmp_path / "a.tar.zst", timeout=60, limit=10_000_000)
    assert size == (tmp_path / "a.tar.zst").stat().st_size
    host.unpack(tmp_path / "a.tar.zst", str(tmp_path / "again"), timeout=60)
    again = tmp_path / "again" / "program"
    assert again.read_bytes() == (tree / "program").read_bytes()
    assert (again.stat().st_mode & 0o777, again.stat().st_mtime) == (0o751, 1_000_000_000)
    assert (tmp_path / "again" / "-rf").is_symlink()
    assert (tmp_path / "again" / "empty").is_dir()


@needs("zstd")
@pytest.mark.parametrize(
    ("folder", "limit", "words"),
    [("noise", 1000, "more than the 1,000 bytes allowed"), ("nothing", 1000, "No such file or directory")],
)
def test_what_cannot_be_packed_leaves_nothing(host, tmp_path, folder, limit, words):
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "file").write_bytes(random.Random(1).randbytes(3_000_000))
    with pytest.raises(LabError, match=f"packing .*{folder}: .*{words}"):
        host.pack(str(tmp_path / folder), tmp_path / "a.tar.zst", timeout=60, limit=limit)
    assert not list(tmp_path.glob("a.tar.zst*"))


def test_a_node_without_zstd_packs_nothing(bare_host, tmp_path):
    with pytest.raises(LabError, match="there is no zstd"):
        bare_host.pack(str(tmp_path), tmp_path / "a.tar.zst", timeout=60, limit=1000)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB; only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs("mount", "umount")
def test_a_full_disk_on_the_node_is_a_lab_error_in_its_own_words(either, small_disk, tmp_path):
    with pytest.raises(LabError, match=r"(?s)node fwd: writing .*No space left on device.*disk is full"):
        either.upload(content(SIZES[-1]), str(small_disk / "file"))
    assert list(small_disk.iterdir()) == []
    archive = archive_of(tmp_path, {"big": random.Random(1).randbytes(8_000_000)})
    with pytest.raises(LabError, match=r"(?s)unpacking into .*No space left on device.*disk is full"):
        either.unpack(archive, str(small_disk / "tree"), timeout=60)


@needs_root
@needs("mount", "umount")
def test_a_full_disk_here_is_a_lab_error(either, small_disk, tmp_path):
    (tmp_path / "remote").write_bytes(content(SIZES[-1]))
    with pytest.raises(LabError, match=r"cannot write .*local.part: No space left on device"):
        either.fetch(str(tmp_path / "remote"), small_disk / "local", timeout=60)
    assert list(small_disk.iterdir()) == []
    assert either.run("echo still there", timeout=30).ok


def test_root_without_sudo_on_the_node_is_explained(sshd, bare_host, tmp_path):
    link = bare_host._link
    access, link.access = link.access, replace(link.access, user="somebody")  # so that sudo is asked for
    try:
        with pytest.raises(LabError, match=r"sudo.*not found"):
            bare_host.run("true", timeout=30, root=True)
        with pytest.raises(LabError, match=r"sudo.*not found"):
            bare_host.fetch("/etc/passwd", tmp_path / "local", timeout=30)
    finally:
        link.access = access
