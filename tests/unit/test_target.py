"""Targets, fetched with the real git from real repositories."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import itertools
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest
import zstandard

from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.pack import pack
from pytest_ixy.target import Target, fetch

SAFELY = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # Debian 12's Python has none
TOML = 'build = ["make"]\npktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n'


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without any git configuration, whose pytest runs inside of a git hook."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    monkeypatch.chdir(tmp_path)


def git(folder: Path, *words: str) -> str:
    identity = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environ |= identity | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": "file"}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str = "work") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in {"ixy-ci.toml": TOML, ".gitignore": "*.o\n", "main.c": "int main;\n", **files}.items():
        (folder / name).write_text(text)
    commit(folder, "First line\n\nbody")
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make(tmp_path / "driver")


@pytest.fixture
def get(tmp_path: Path):
    count = iter(range(99))

    def fetched(source: object, ref: str | None = None, **more) -> Target:
        return fetch(str(source), ref, tmp_path / f"run{next(count)}", **more)

    return fetched


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All of a folder, with its .git, to see that nothing touched it."""
    return {
        str(path): (
            path.lstat().st_mtime_ns,
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


# Versions


def test_a_url_is_pinned_to_its_default_branch(repo, get):
    first = git(repo, "rev-parse", "HEAD")
    target = get(f"file://{repo}")
    record = target.record
    assert (record.commit, record.dirty, record.ref, record.name) == (first, False, None, "driver")
    assert record.label == f"driver@{first[:7]}"
    assert record.subject == "First line"
    assert record.source == f"file://{repo}"
    assert target.diff == ""
    assert target.spec.build == ("make",)
    assert (target.folder / "main.c").read_text() == "int main;\n"
    assert git(target.folder, "status", "--porcelain") == ""
    git(target.folder, "fsck", "--strict")


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize(
    "ref", ["topic/x", "heads/topic/x", "refs/heads/topic/x", "v1", "tags/v1", "light", "SHA", "SHORT"]
)
def test_versions(repo, get, ref, local):
    git(repo, "checkout", "-q", "-b", "topic/x")
    (repo / "main.c").write_text("int topic;\n")
    wanted = commit(repo)
    git(repo, "tag", "-m", "annotated", "v1")
    git(repo, "tag", "light")
    git(repo, "checkout", "-q", "main")
    (repo / "main.c").write_text("not committed")
    ref = {"SHA": wanted, "SHORT": wanted[:6]}.get(ref, ref)
    target = get(repo if local else f"file://{repo}", ref)
    assert (target.record.commit, target.record.dirty, target.record.ref) == (wanted, False, ref)
    assert (target.folder / "main.c").read_text() == "int topic;\n"


def test_all_history_comes_along(repo, get):
    first = git(repo, "rev-parse", "HEAD")
    commit(repo)
    assert git(get(f"file://{repo}").folder, "cat-file", "-t", first) == "commit"


def test_a_commit_that_is_on_no_branch(repo, get):
    git(repo, "checkout", "-q", "--detach")
    loose = commit(repo, "pull request")
    git(repo, "update-ref", "refs/pull/1/head", loose)
    git(repo, "checkout", "-q", "main")
    assert get(f"file://{repo}", "refs/pull/1/head").record.commit == loose
    assert get(f"file://{repo}", loose).record.commit == loose


def test_ambiguous_names_are_refused(repo, get):
    git(repo, "tag", "both")
    git(repo, "checkout", "-q", "-b", "both")
    second = commit(repo)
    with pytest.raises(UsageError, match="'both' is ambiguous"):
        get(f"file://{repo}", "both")
    assert get(f"file://{repo}", "heads/both").record.commit == second


def test_ambiguous_short_sha_is_refused(repo, get):
    tree, seen = git(repo, "rev-parse", "HEAD^{tree}"), {}
    for number in itertools.count():  # until two have the first four digits in common
        content = f"tree {tree}\nauthor t <t> 1 +0000\ncommitter t <t> 1 +0000\n\n{number}\n".encode()
        name = hashlib.sha1(b"commit %d\0%s" % (len(content), content)).hexdigest()
        if name[:4] in seen:
            break
        seen[name[:4]] = content
    for branch, data in (("one", content), ("two", seen[name[:4]])):
        (repo / ".git/object").write_bytes(data)
        git(repo, "branch", branch, git(repo, "hash-object", "-t", "commit", "-w", ".git/object"))
    with pytest.raises(UsageError, match="is ambiguous"):
        get(f"file://{repo}", name[:4])
    assert get(f"file://{repo}", name[:12]).record.commit == name


def test_unknown_versions_list_close_names(repo, get):
    git(repo, "branch", "feature-offload")
    git(repo, "tag", "v1.0")
    with pytest.raises(UsageError, match="did you mean 'feature-offload'"):
        get(f"file://{repo}", "feature-ofload")
    with pytest.raises(UsageError, match=r"it has 'feature-offload', 'main', 'v1\.0'"):
        get(f"file://{repo}", "deadbeef")
    with pytest.raises(UsageError, match="no branch, tag or commit"):
        get(f"file://{repo}", "d" * 40)
    with pytest.raises(UsageError, match="no branch, tag or commit"):
        get(f"file://{repo}", git(repo, "rev-parse", "HEAD^{tree}"))


HOSTILE = [
    "", "-", "--upload-pack=touch pwned", "-c core.pager=touch", "$(touch pwned)", "`touch pwned`", "../..",
    "a/../b", "a'b", 'a"b', "a\nb", "a b", "a;b", "a|b", "main~1", "main^{/x}", "@{-1}", "main:main.c", ":/x",
    "a\0b", "a\x1b[31m", "x" * 300, "*", "a\u202eb",
]  # fmt: skip


@pytest.mark.parametrize("ref", HOSTILE)
def test_hostile_versions_do_nothing(repo, get, tmp_path, ref):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="is not the name of a branch, tag or commit"):
        get(f"file://{repo}", ref)
    assert sorted(tmp_path.iterdir()) == before


def test_hostile_subjects_and_names_are_made_harmless(tmp_path, get):
    repo = make(tmp_path / "a $(x) <b>")
    commit(repo, "\x1b[31mred\u202e <script>\nsecond")
    target = get(repo)
    assert target.record.subject == "[31mred <script>"
    assert target.record.name == "a---x---b-"


# Work trees


def test_a_clean_work_tree(repo, get):
    (repo / "main.o").write_text("ignored")
    before = state(repo)
    target = get(repo)
    assert target.record.label == f"driver@{git(repo, 'rev-parse', 'HEAD')[:7]}"
    assert (target.record.dirty, target.diff) == (False, "")
    assert not (target.folder / "main.o").exists()
    assert git(target.folder, "status", "--porcelain") == ""
    assert state(repo) == before


def test_a_work_tree_as_it_stands(repo, get):
    (repo / "gone.c").write_text("gone\n")
    (repo / "binary").write_bytes(bytes(range(256)))
    (repo / "run.sh").write_text("#!/bin/sh\n")
    (repo / "forced.o").write_text("tracked though ignored\n")
    git(repo, "add", "-f", "forced.o")
    head = commit(repo)
    (repo / "main.c").write_text("int changed;\n")
    (repo / "staged.c").write_text("staged\n")
    git(repo, "add", "staged.c")
    (repo / "sub").mkdir()
    (repo / "sub/ü new\n'name.c").write_text("new\n")
    (repo / "gone.c").unlink()
    (repo / "binary").write_bytes(bytes(reversed(range(256))))
    (repo / "run.sh").chmod(0o755)
    (repo / "main.o").write_text("ignored")
    (repo / "link").symlink_to("/etc/passwd")
    os.mkfifo(repo / "pipe")
    before = state(repo)
    target = get(repo)
    assert state(repo) == before
    assert (target.record.label, target.record.commit) == (f"driver@{head[:7]}+dirty", head)
    kept = {
        str(path.relative_to(target.folder)) for path in target.folder.rglob("*") if ".git" not in path.parts
    }
    assert kept == {
        ".gitignore", "ixy-ci.toml", "main.c", "staged.c", "sub", "sub/ü new\n'name.c", "binary", "run.sh",
        "link", "forced.o",
    }  # fmt: skip
    assert (target.folder / "link").is_symlink()
    assert os.access(target.folder / "run.sh", os.X_OK)
    assert git(target.folder, "rev-parse", "HEAD") == head


def test_the_diff_makes_the_work_tree_from_the_commit(repo, get, tmp_path):
    (repo / "gone.c").write_text("gone\n")
    (repo / "binary").write_bytes(bytes(range(256)))
    commit(repo)
    (repo / "gone.c").unlink()
    (repo / "binary").write_bytes(b"\0other")
    (repo / "new.c").write_text("new\n")
    (repo / "main.c").write_text("int changed;\n")
    git(repo, "config", "diff.noprefix", "true")
    target = get(repo)
    git(tmp_path, "clone", "-q", str(repo), "again")
    (tmp_path / "patch").write_text(target.diff)
    git(tmp_path / "again", "apply", str(tmp_path / "patch"))
    for name in ("main.c", "binary", "new.c"):
        assert (tmp_path / "again" / name).read_bytes() == (repo / name).read_bytes()
    assert not (tmp_path / "again/gone.c").exists()


def test_a_folder_that_became_a_link_is_not_followed(repo, get, tmp_path):
    (repo / "sub").mkdir()
    (repo / "sub/file").write_text("inside\n")
    commit(repo)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("outside\n")
    (repo / "sub/file").unlink()
    (repo / "sub").rmdir()
    (repo / "sub").symlink_to(tmp_path / "elsewhere")
    target = get(repo)
    assert (target.folder / "sub").is_symlink()
    assert (tmp_path / "elsewhere/file").read_text() == "outside\n"
    assert "outside" not in target.diff


def test_what_the_run_writes_is_no_part_of_the_target(repo):
    (repo / "ixy-artifacts").mkdir()
    (repo / "ixy-artifacts/old").write_text("x")
    target = fetch(str(repo), None, repo / "scratch/run", exclude=[repo / "ixy-artifacts"])
    assert not target.record.dirty
    assert not (target.folder / "ixy-artifacts").exists()
    assert not (target.folder / "scratch").exists()


def test_a_detached_head_and_a_linked_work_tree(repo, get, tmp_path):
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    (tmp_path / "linked/main.c").write_text("int linked;\n")
    head = commit(tmp_path / "linked")
    (tmp_path / "linked/more.c").write_text("more\n")
    target = get(tmp_path / "linked")
    assert (target.record.commit, target.record.dirty) == (head, True)
    assert (target.folder / "main.c").read_text() == "int linked;\n"


def test_a_clone_that_borrows_objects_is_sent_whole(repo, get, tmp_path):
    git(tmp_path, "clone", "-q", "--shared", str(repo), "borrower")
    target = get(tmp_path / "borrower")
    assert not (target.folder / ".git/objects/info/alternates").exists()
    git(target.folder, "fsck", "--strict")


@pytest.mark.parametrize("dirty", [False, True])
def test_a_subfolder_becomes_the_root(repo, get, dirty):
    (repo / "examples/one").mkdir(parents=True)
    (repo / "examples/one/ixy-ci.toml").write_text(TOML)
    (repo / "examples/one/a.c").write_text("a\n")
    head = commit(repo, "subfolder")
    (repo / "main.c").write_text("changed outside of the subfolder\n")
    if dirty:
        (repo / "examples/one/b.c").write_text("b\n")
    before = state(repo)
    target = get(repo / "examples/one")
    assert state(repo) == before
    assert target.record.commit == head
    assert target.record.label == f"one@{head[:7]}" + "+dirty" * dirty
    assert ("b/b.c" in target.diff) == dirty
    assert (target.diff != "") == dirty
    assert not (target.folder / "main.c").exists()
    assert git(target.folder, "status", "--porcelain") == ""
    assert git(target.folder, "rev-list", "--count", "HEAD") == "1"
    git(target.folder, "fsck", "--strict")


def test_a_subfolder_at_a_version(repo, get, tmp_path):
    (repo / "one").mkdir()
    (repo / "one/ixy-ci.toml").write_text(TOML)
    wanted = commit(repo, "with it")
    (repo / "one/later.c").write_text("later\n")
    commit(repo)
    target = get(repo / "one", wanted)
    assert (target.record.commit, target.record.subject) == (wanted, "with it")
    assert [path.name for path in target.folder.iterdir() if path.name != ".git"] == ["ixy-ci.toml"]
    git(target.folder, "fsck", "--strict")
    assert [path.name for path in target.folder.parent.iterdir()] == ["one"]
    with pytest.raises(UsageError, match="has no folder 'one'"):
        get(repo / "one", git(repo, "rev-parse", f"{wanted}~1"))


def test_a_subfolder_that_was_a_link_at_that_version(repo, get, tmp_path):
    (repo / "one").symlink_to("/etc")
    linked = commit(repo)
    (repo / "one").unlink()
    (repo / "one").mkdir()
    (repo / "one/ixy-ci.toml").write_text(TOML)
    with pytest.raises(UsageError, match="has no folder 'one'"):
        get(repo / "one", linked)


@pytest.mark.parametrize("with_git", [False, True])
def test_a_folder_without_commits(tmp_path, get, with_git):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "ixy-ci.toml").write_text(TOML)
    (folder / ".gitignore").write_text("*.o\n")
    (folder / "a.o").write_text("")
    if with_git:
        git(folder, "init", "-q")
    before = state(folder)
    first, second = get(folder), get(folder)
    assert state(folder) == before
    assert first.record.commit == second.record.commit
    assert (first.record.dirty, first.record.subject) == (True, "")
    assert not (first.folder / "a.o").exists()
    assert "+pktgen" in first.diff
    (folder / "more").write_text("x")
    assert get(folder).record.commit != first.record.commit
    with pytest.raises(UsageError, match=r"not in a git repository|no branch, tag or commit"):
        get(folder, "main")


def test_a_bare_repository(repo, get, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare.git")
    target = get(tmp_path / "bare.git")
    assert target.record.label == f"bare@{git(repo, 'rev-parse', 'HEAD')[:7]}"
    assert (target.folder / "main.c").exists()


# Submodules


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    inner = make(tmp_path / "inner")
    middle = make(tmp_path / "middle")
    git(middle, "submodule", "add", "-q", "../inner", "inner")
    commit(middle)
    parent = make(tmp_path / "parent")
    git(parent, "submodule", "add", "-q", "../middle", "libs/middle")
    git(parent, "submodule", "update", "-q", "--init", "--recursive")
    commit(parent)
    assert inner.exists()
    return parent


@pytest.mark.parametrize("how", ["url", "ref", "tree"])
def test_submodules_come_along(parent, get, how):
    target = get(f"file://{parent}" if how == "url" else parent, "main" if how == "ref" else None)
    assert (target.folder / "libs/middle/inner/main.c").exists()
    assert not target.record.dirty
    assert git(target.folder, "status", "--porcelain") == ""
    assert len(git(target.folder, "submodule", "status", "--recursive").splitlines()) == 2


def test_a_change_inside_of_a_submodule(parent, get):
    (parent / "libs/middle/inner/main.c").write_text("int deep;\n")
    target = get(parent)
    assert target.record.dirty
    assert "+++ b/libs/middle/inner/main.c" in target.diff
    assert (target.folder / "libs/middle/inner/main.c").read_text() == "int deep;\n"


def test_a_repository_inside_that_is_no_submodule(repo, get):
    make(repo / "nested")
    target = get(repo)
    assert target.record.dirty
    assert (target.folder / "nested/main.c").exists()


@pytest.mark.parametrize("url", ["ext::sh -c 'touch pwned'", "--upload-pack=touch pwned", "nowhere::x"])
def test_hostile_submodules_of_a_local_target_do_nothing(parent, get, tmp_path, url):
    config = f'[submodule "libs/middle"]\n\tpath = libs/middle\n\turl = "{url}"\n\tupdate = !touch pwned\n'
    (parent / ".gitmodules").write_text(config)
    commit(parent)
    with pytest.raises(UsageError, match="git submodule failed"):
        get(f"file://{parent}")
    assert not list(tmp_path.rglob("pwned"))


# Failures, credentials and bounds


def test_a_repository_that_is_not_there(get, tmp_path):
    with pytest.raises(UsageError, match=r"git clone failed:\n.*does not"):
        get(f"file://{tmp_path}/gone")


def test_an_empty_remote(tmp_path, get):
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    with pytest.raises(UsageError, match="has no commit at its default branch"):
        get(f"file://{tmp_path}/empty.git")


def test_a_missing_ixy_ci_toml(repo, get):
    (repo / "ixy-ci.toml").unlink()
    with pytest.raises(
        UsageError, match=r"there is no ixy-ci\.toml\n  in driver@[0-9a-f]{7}\+dirty\n  what to do: add"
    ):
        get(repo)


def test_an_existing_folder_is_not_overwritten(repo, tmp_path):
    fetch(str(repo), None, tmp_path / "run")
    with pytest.raises(UsageError, match="exists already"):
        fetch(str(repo), None, tmp_path / "run")


@pytest.fixture
def fake_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A fake git that runs a script, for what the real one does only with a real network."""

    def install(script: str) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin/git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    return install


def test_a_deadline_ends_git_and_its_children(get, fake_git, tmp_path):
    fake_git(f"sleep 1000 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/leader; wait")
    with pytest.raises(LabError, match=r"git clone did not end within 2 s and was stopped"):
        get("https://user:s3cret@host.example/a/b", timeout=2)
    pids = [(tmp_path / name).read_text().strip() for name in ("child", "leader")]
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_credentials_reach_git_and_nobody_else(get, fake_git, tmp_path):
    fake_git(
        f'env > {tmp_path}/env; echo "$@" > {tmp_path}/args\n'
        "echo 'fatal: s3cret at https://u:s3cret@h/' >&2; exit 128"
    )
    with pytest.raises(UsageError) as caught:
        get("https://user:s3cret@host.example/group/b.git")
    assert "s3cret" not in str(caught.value)
    assert "fatal: *** at https://***@h/" in str(caught.value)
    assert "s3cret" not in (tmp_path / "args").read_text()
    assert (
        "GIT_CONFIG_KEY_0=url.https://user:s3cret@host.example/group/.insteadOf"
        in (tmp_path / "env").read_text()
    )


def test_git_is_asked_to_ask_nobody(get, fake_git, tmp_path):
    fake_git(f"env > {tmp_path}/env; exit 1")
    with pytest.raises(UsageError, match="git clone failed:\n  exit status 1"):
        get("https://host.example/a/b")
    lines = (tmp_path / "env").read_text().splitlines()
    assert "GIT_TERMINAL_PROMPT=0" in lines
    assert "GIT_ALLOW_PROTOCOL=https:http:ssh:git" in lines
    assert not [line for line in lines if line.startswith(("GIT_DIR=", "GIT_INDEX_FILE="))]


def test_no_git(get, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="git is not installed"):
        get("https://host.example/a/b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user(repo, get):
    os.chown(repo, 12345, 12345)
    os.chown(repo / ".git", 12345, 12345)
    with pytest.raises(UsageError, match=r"dubious ownership(.|\n)*safe\.directory"):
        get(repo)


# The network


class PrivateFiles(http.server.SimpleHTTPRequestHandler):
    """Serves repositories by git's plain protocol, to who knows the password."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] == "Basic " + base64.b64encode(b"user:s3cret").decode():
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=x")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path):
    """A private server of all that lies in the test's folder; its address, and the password."""
    handler = functools.partial(PrivateFiles, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def publish(*folders: Path) -> None:
    """Put bare clones beside each other, as a forge does, in `srv`."""
    for folder in folders:
        bare = folder.parent / "srv" / f"{folder.name}.git"
        git(folder, "clone", "-q", "--bare", str(folder), str(bare))
        git(bare, "update-server-info")


def test_a_private_repository_leaves_no_credentials_behind(parent, get, served, tmp_path):
    middle, inner = tmp_path / "middle", tmp_path / "inner"
    git(middle, "config", "-f", ".gitmodules", "submodule.inner.url", "../inner.git")
    git(parent / "libs/middle", "pull", "-q", str(middle), f"{commit(middle)}:refs/heads/main")
    git(parent, "config", "-f", ".gitmodules", "submodule.libs/middle.url", "../middle.git")
    wanted = commit(parent)
    publish(parent, middle, inner)
    target = get(f"http://user:s3cret@{served}/srv/parent.git")
    assert target.record.commit == wanted
    assert target.record.source == f"http://***@{served}/srv/parent.git"
    assert (target.folder / "libs/middle/inner/main.c").exists()
    assert git(target.folder, "remote", "get-url", "origin") == f"http://{served}/srv/parent.git"
    assert not [
        path for path in target.folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()
    ]


def test_a_wrong_password_is_told_without_it(repo, get, served):
    publish(repo)
    with pytest.raises(UsageError, match="Authentication failed") as caught:
        get(f"http://user:wr0ng@{served}/srv/driver.git")
    assert "wr0ng" not in str(caught.value)
    with pytest.raises(UsageError, match="could not read Username"):
        get(f"http://{served}/srv/driver.git")


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c 'touch pwned'", "file://HERE/middle", "HERE/middle", "--upload-pack=touch pwned", "-u./x"],
)
def test_hostile_submodules_of_a_remote_target_do_nothing(parent, get, served, tmp_path, url):
    text = f'[submodule "libs/middle"]\n\tpath = libs/middle\n\turl = "{url}"\n\tupdate = !touch pwned\n'
    (parent / ".gitmodules").write_text(text.replace("HERE", str(tmp_path)))
    commit(parent)
    publish(parent)
    with pytest.raises(UsageError, match="git submodule failed"):
        get(f"http://user:s3cret@{served}/srv/parent.git")
    assert not list(tmp_path.rglob("pwned"))
    assert not (tmp_path / "run0/parent/libs/middle/main.c").exists()


# The archive


def unpack(file: Path, folder: Path) -> Path:
    with (
        file.open("rb") as stream,
        zstandard.ZstdDecompressor().stream_reader(stream) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        archive.extractall(folder, **SAFELY)
    return folder


def test_pack(parent, get, tmp_path):
    (parent / "link").symlink_to("/etc/passwd")
    target = get(parent)
    first, second = tmp_path / "a.tar.zst", tmp_path / "b.tar.zst"
    assert pack(target.folder, first) == first.stat().st_size
    pack(target.folder, second)
    assert first.read_bytes() == second.read_bytes()
    out = unpack(first, tmp_path / "out")
    assert (out / "link").is_symlink()
    assert git(out, "rev-parse", "HEAD") == target.record.commit
    git(out, "fsck", "--strict")


def test_submodules_work_where_they_are_unpacked(parent, get, tmp_path):
    target = get(f"file://{parent}")
    pack(target.folder, tmp_path / "a.tar.zst")
    target.folder.rename(tmp_path / "moved")
    out = unpack(tmp_path / "a.tar.zst", tmp_path / "out")
    assert git(out / "libs/middle/inner", "status", "--porcelain") == ""
    assert str(target.folder) not in (out / "libs/middle/.git").read_text()
