"""What may stand behind --ixy-repo, and what must never be seen of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ixy.errors import UsageError
from pytest_ixy.source import parse, redact, safe_name


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
