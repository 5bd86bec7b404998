"""What may stand behind --ixy-repo, and what must never be seen of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ixy.errors import UsageError
from pytest_ixy.source import parse, redact, remote, safe_name, versioned


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("repo", "url", "name"),
    [
        ("emmericp/ixy", "https://github.com/emmericp/ixy", "ixy"),
        ("ixy-languages/ixy.rs", "https://github.com/ixy-languages/ixy.rs", "ixy.rs"),
        ("o/n.git", "https://github.com/o/n", "n"),
        ("https://host.example/a/b.git", "https://host.example/a/b.git", "b"),
        ("https://host.example/a/b/", "https://host.example/a/b/", "b"),
        ("ssh://git@host.example:22/a/b", "ssh://git@host.example:22/a/b", "b"),
        ("git://host.example/b", "git://host.example/b", "b"),
        ("file:///srv/b.git", "file:///srv/b.git", "b"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git", "b"),
        ("host.example:b", "host.example:b", "b"),
    ],
)
def test_addresses(repo, url, name):
    source = parse(repo)
    assert (source.url, source.name, source.shown, source.login) == (url, name, url, "")


def test_an_existing_folder_wins(tmp_path, monkeypatch):
    (tmp_path / "owner/name").mkdir(parents=True)
    assert parse("owner/name").folder == tmp_path / "owner/name"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse("~/owner").folder == tmp_path / "owner"
    assert parse("./owner/../owner/name/").name == "name"


@pytest.mark.parametrize(
    "repo",
    [
        "",
        " ",
        "-x",
        "--upload-pack=touch pwned",
        "ext::sh -c touch% pwned",
        "fd::17",
        "ftp://host/a",
        "javascript://host/a",
        "https://",
        "https://host",
        "https:///a/b",
        "ssh://-oProxyCommand=x/a",
        "-oProxyCommand=x:a",
        "host:-a",
        "https://host:port/a",
        "https://[bad/a",
        "https://host/a\nb",
        "owner/..",
        "owner/name/more",
        "../..nowhere",
        "$(touch pwned)",
        "`touch pwned`",
        "a'b\"c",
        "a\0b",
        "x" * 5000,
    ],
)
def test_refused(repo, tmp_path):
    with pytest.raises(UsageError, match="give a URL"):
        parse(repo)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("repo", "shown"),
    [
        ("https://user:s3cret@host.example/a/b", "https://***@host.example/a/b"),
        ("https://s3cret-token-of-length@host.example/a/b", "https://***@host.example/a/b"),
        ("https://user:s3c@ret@host.example/a/b", "https://***@host.example/a/b"),
        ("https://host.example/a/b?private_token=s3cret", "https://host.example/a/b"),
    ],
)
def test_credentials_are_not_shown(repo, shown):
    source = parse(repo)
    assert source.shown == shown
    assert "s3c" not in repr(source)
    assert source.name == "b"
    assert "@" not in (source.url or "")


@pytest.mark.parametrize(
    "repo", ["ftp://user:s3cret@host/a", "user:s3cret@host:a/b", "https://user:s3cret@host:port/a"]
)
def test_errors_show_no_credentials(repo):
    with pytest.raises(UsageError) as caught:
        parse(repo)
    assert "s3cret" not in str(caught.value)


def test_redaction_of_what_git_says():
    text = "fatal: 'https://me:p%40ss@host/x' and https://tok@host/y; bare p@ss, by me"
    assert redact(text, "me:p%40ss@") == "fatal: 'https://***@host/x' and https://***@host/y; bare ***, by me"
    assert redact("git@github.com:a/b stays") == "git@github.com:a/b stays"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b c", "b-c"),
        ("/", "target"),
        ("/srv/b/.git/", "b"),
        ("a/..", "target"),
        ("<b>&\"'", "b----"),
        ("é.git", "target"),
        ("x" * 99, "x" * 64),
    ],
)
def test_names_are_harmless(path, name):
    assert safe_name(path) == name


@pytest.mark.parametrize(
    ("text", "repo", "ref"),
    [
        ("owner/name", "owner/name", None),
        ("owner/name@v1.2", "owner/name", "v1.2"),
        ("owner/name@feature/x", "owner/name", "feature/x"),
        ("https://example.org/a/b", "https://example.org/a/b", None),
        ("https://me:secret@example.org/a/b", "https://me:secret@example.org/a/b", None),
        ("https://me:secret@example.org/a/b@main", "https://me:secret@example.org/a/b", "main"),
        ("https://me@example.org", "https://me@example.org", None),
        (
            "ssh://git@example.org:22/a/b.git@refs/pull/1/head",
            "ssh://git@example.org:22/a/b.git",
            "refs/pull/1/head",
        ),
        ("git@example.org:a/b.git", "git@example.org:a/b.git", None),
        ("git@example.org:a/b.git@0e00605", "git@example.org:a/b.git", "0e00605"),
        ("example.org:a/b@x", "example.org:a/b", "x"),
        ("./folder@v1", "./folder", "v1"),
        ("/far/a:b@v1", "/far/a:b", "v1"),
        ("owner/name@", "owner/name", ""),
    ],
)
def test_a_version_behind_a_repository(text, repo, ref):
    assert versioned(text, here=True) == (repo, ref)


def test_an_at_sign_in_a_folders_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a@b").mkdir()
    assert versioned("./a@b", here=True) == ("./a@b", None)
    assert versioned("./a@b@v1", here=True) == ("./a@b", "v1")
    assert versioned("./a@b", here=False) == ("./a", "b")


def test_what_somebody_else_names_is_never_a_folder_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert parse("owner/name").folder == tmp_path / "owner" / "name"
    assert remote("owner/name").folder is None
    assert remote("owner/name").url == "https://github.com/owner/name"
    for text in ("./owner/name", str(tmp_path / "owner"), f"file://{tmp_path}", "x:y"):
        with pytest.raises(UsageError):
            remote(text)
