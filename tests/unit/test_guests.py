"""Other repositories that play a role, fetched with the real git from real repositories."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from repositories import git

from pytest_ixy import target
from pytest_ixy.errors import UsageError
from pytest_ixy.guests import dialects, fetch

ALL = 'pktgen = "./gen"\nfwd = "./fwd"\n'
OWN = {"pktgen": "target", "fwd": "target", "pcap": "target"}


@pytest.fixture
def other(tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number, text in enumerate((ALL, ALL + 'build = ["make"]\n')):
        (folder / "ixy-ci.toml").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", str(number))
        git(folder, "tag", f"v{number}")
    return folder


@pytest.fixture
def get(tmp_path):
    def get(asked, **declared):
        into = tmp_path / "guests"
        return fetch({**OWN, **declared, **asked}, asked, into, timeout=60, exclude=[])

    return get


def test_each_is_at_the_version_that_is_meant(get, other):
    found = get({"pktgen": f"{other}@v0", "fwd": f"{other}"})
    assert set(found) == {"pktgen", "fwd"}
    assert found["pktgen"].spec.build == ()
    assert found["pktgen"].record.commit == git(other, "rev-parse", "v0")
    assert found["fwd"].spec.build == ("make",)


def test_one_that_plays_two_roles_is_fetched_once(get, other, tmp_path):
    found = get({"pktgen": f"{other}@v1", "fwd": f"{other}@v1"})
    assert found["pktgen"] is found["fwd"]
    assert [path.name for path in (tmp_path / "guests").iterdir()] == ["0"]


def test_the_reference_and_the_target_are_nobody_to_fetch(get):
    assert get({"pcap": "reference"}) == {}


@pytest.mark.parametrize(
    ("role", "who", "words"),
    [
        ("pcap", "{other}", "ixy-ci.toml: 'pcap' is missing\n  in other@"),
        ("fwd", "{other}@v7", "no branch, tag or commit 'v7'"),
        ("fwd", "{other}@", "is not the name of"),
        ("fwd", "{other}/nothing", "there is no folder"),
        ("fwd", "{other}/empty", "there is no ixy-ci.toml"),
    ],
)
def test_who_cannot_play_is_a_usage_error_that_names_the_role(role, who, words, get, other):
    (other / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        get({role: who.format(other=other)})
    assert str(caught.value).startswith(f"who is to play {role}: ")
    assert words in str(caught.value)


def test_what_is_sent_and_what_is_made_of_it_is_as_their_repositories_declare(get, other):
    (other / "ixy-ci.toml").write_text(ALL + '[dialect]\nname = "rust"\n')
    own, players = fetched(other.parent / "own", "c"), {**OWN, "pktgen": str(other)}
    found = get({"pktgen": str(other)})
    assert [one.name for one in dialects(players, own, found)] == ["rust", "c"]
    for alone in (OWN, {**OWN, "pktgen": "reference", "fwd": "reference"}):
        assert [one.name for one in dialects(alone, own, found)] == ["c", "c"]


def fetched(folder, dialect):
    folder.mkdir()
    (folder / "ixy-ci.toml").write_text(f'{ALL}pcap = "./cap"\n[dialect]\nname = "{dialect}"\n')
    return target.fetch(str(folder), None, folder.parent / "fetched")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A server that wants a password, the user's git that knows one, and what was shown to the server."""
    shown = []

    class Locked(BaseHTTPRequestHandler):
        def do_GET(self):
            shown.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="it"')
            self.end_headers()

        def log_message(self, *words):
            pass

    helper = "!f() { echo username=me; echo password=secret; }; f"
    (tmp_path / "gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/owner/name", shown
        server.shutdown()


def test_the_users_passwords_are_for_what_the_user_names(get, locked):
    url, shown = locked
    with pytest.raises(UsageError):
        get({}, fwd=url)
    assert set(shown) == {None}
    with pytest.raises(UsageError):
        get({"fwd": url})
    assert len(set(shown)) == 2


def test_a_folder_that_the_target_names_is_not_looked_at(get, other):
    with pytest.raises(UsageError, match=r"who is to play fwd: .* is not a public repository elsewhere"):
        get({}, fwd=str(other))
