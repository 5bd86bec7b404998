"""The VPN into a lab: openvpn and wireguard for real, between two network namespaces; any other command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sshd import needs, needs_root, until

from pytest_ixy import ledger, sweep, undo
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ConnectTable
from pytest_ixy.teravm import connect
from pytest_ixy.teravm.connect import Connection

DRIVER = Path(__file__).with_name("vpn.py")
KINDS = [
    pytest.param("openvpn", marks=needs("openvpn", "openssl")),
    pytest.param("wireguard", marks=needs("wg-quick", "wireguard-go")),
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def inside(tmp_path):
    """Runs a program as root in an empty network namespace, the same one each time."""
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [
        *become,
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--net",
        "sh",
        "-c",
        "echo $$; exec sleep 600",
    ]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    pid = holder.stdout.readline().strip()
    given = [f"{name}={os.environ[name]}" for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME")]
    given.append(f"PYTHONPATH={Path(sweep.__file__).parents[1]}")

    def run(*arguments):
        whole = [*become, "nsenter", "--net", "--target", pid, "env", *given, sys.executable, *arguments]
        return subprocess.run(
            whole, stdout=subprocess.PIPE, text=True, check=False, cwd=tmp_path, timeout=120
        )

    yield run
    subprocess.run([*become, "kill", pid], check=True)
    holder.communicate()


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_a_vpn_stands_until_it_is_taken_down(inside, tmp_path, kind):
    done = inside(DRIVER, tmp_path, kind, "down")
    said = json.loads(done.stdout)
    assert said["reached"]
    assert said["ended"] is None
    assert (said["errors"], said["again"], said["still"]) == ([], [], False)
    assert "cable0" in said["links"]
    assert "tun" not in said["links"]
    assert "ixyci" not in said["links"]
    if kind == "openvpn":  # wireguard has no connections that could come up or not
        assert "did not come up: openvpn was not done in 2 s" in said["late"]
    assert connect.READY in (tmp_path / "connect.log").read_text() or kind != "openvpn"


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_killed_run_left_is_taken_down_by_a_sweep(inside, tmp_path, kind):
    done = inside(DRIVER, tmp_path, kind, "killed")
    assert done.returncode in (-signal.SIGKILL, 137)
    assert json.loads(done.stdout)["reached"]
    links = "import socket; print([name for _, name in socket.if_nameindex()])"
    if kind == "openvpn":  # it ends with its owner
        assert until(lambda: "tun" not in inside("-c", links).stdout)
    else:
        assert "ixyci" in inside("-c", links).stdout
    swept = inside("-c", "from pytest_ixy import sweep; print(list(sweep.sweep()))").stdout
    assert "errors=()" in swept
    assert ("undo" in swept) == (kind == "wireguard")
    assert not [name for name in ("tun", "ixyci") if name in inside("-c", links).stdout]
    assert not list((tmp_path / "state").rglob("*.jsonl"))


@pytest.fixture
def book():
    book = ledger.create("run-connect")
    yield book
    assert sweep.settle(book).errors == ()


@pytest.fixture
def make(book, tmp_path):
    """A connection of kind `command`."""
    made = []

    def make(up, **more):
        table = ConnectTable(kind="command", up=up, **{"wait": "30s", **more})
        made.append(Connection(table, tmp_path, book, tmp_path / "scratch", tmp_path / "log"))
        return made[-1]

    yield make
    for connection in made:
        connection.down()


def up(connection):
    connection.up(lambda _words: None)


def test_a_command_may_end_and_another_takes_back_what_it_did(make, tmp_path):
    connection = make(["sh", "-c", "touch up; echo made"], down=["sh", "-c", "rm up; echo undone"])
    up(connection)
    assert (tmp_path / "up").exists()
    assert connection.ended() is None
    assert connection.down() == []
    assert not (tmp_path / "up").exists()
    assert connection.down() == []
    assert (tmp_path / "log").read_text() == "made\nundone\n"


def test_a_command_may_stay(make, monkeypatch, tmp_path):
    monkeypatch.setattr(connect, "SETTLED", 0.5)
    connection = make(["sh", "-c", "trap 'rm up; exit' TERM; touch up; while :; do sleep 0.1; done"])
    up(connection)
    assert until((tmp_path / "up").exists)
    assert connection.ended() is None
    assert connection.down() == []
    assert not (tmp_path / "up").exists()


def test_a_connection_that_ends_by_itself_is_told(make, monkeypatch):
    monkeypatch.setattr(connect, "SETTLED", 0.2)
    connection = make(["sh", "-c", "sleep 1; echo 'the peer is gone'; exit 7"])
    up(connection)
    assert until(connection.ended) == "sh ended with status 7\nthe peer is gone"
    assert connection.down() == []


@pytest.mark.parametrize("more", [{}, {"down": ["true"]}])
def test_a_command_that_fails_is_told_with_its_last_words(make, more):
    with pytest.raises(LabError, match=r"did not come up: sh ended with status 3\.\nno route$"):
        up(make(["sh", "-c", "echo no route; exit 3"], **more))


def test_a_command_that_ends_at_once_has_made_nothing_that_could_be_taken_down(make):
    with pytest.raises(LabError, match=r"did not come up: true ended with status 0") as caught:
        up(make(["true"]))
    assert "without `down` it has to stay" in caught.value.hint


def test_a_command_has_a_deadline(make, tmp_path):
    connection = make(["sh", "-c", "echo $$; exec sleep 600"], down=["touch", "undone"], wait="1s")
    with pytest.raises(LabError, match=r"was not done in 1 s"):
        up(connection)
    assert not Path(f"/proc/{(tmp_path / 'log').read_text().strip()}").exists()
    assert connection.down() == []
    assert (tmp_path / "undone").exists()  # it may have come half the way


def test_what_cannot_be_taken_back_is_told_and_stays_in_the_ledger(make, book, tmp_path):
    connection = make(["true"], down=["sh", "-c", "[ -e allowed ] || { echo busy; exit 4; }"])
    up(connection)
    assert connection.down() == ["command: `sh` ended with 4: busy"]
    (entry,) = [entry for entry in book.entries() if entry.kind == "undo"]
    with pytest.raises(OSError, match="busy"):
        sweep.REMOVERS["undo"](entry.name)
    (tmp_path / "allowed").touch()
    assert sweep.REMOVERS["undo"](entry.name)
    assert not sweep.REMOVERS["undo"](entry.name)


def test_only_what_is_named_is_passed_on_and_it_is_not_shown(make, monkeypatch, tmp_path):
    monkeypatch.setenv("VPN_SECRET", "hunter22\nsecond line\n")
    monkeypatch.setenv("OTHER_SECRET", "not for you")
    connection = make(
        ["sh", "-c", 'env; echo "as ${VPN_SECRET}!"; exit 3'], pass_on=["VPN_SECRET"], down=["env"]
    )
    with pytest.raises(LabError) as caught:
        up(connection)
    connection.down()
    log = (tmp_path / "log").read_text()
    assert log.count("as ***") == 1
    names = {line.partition("=")[0] for line in log.splitlines() if "=" in line}
    assert (
        {"PATH", "VPN_SECRET"}
        <= names
        <= {"PATH", "HOME", "LANG", "VPN_SECRET", "PWD", "SHLVL", "_", "OLDPWD"}
    )
    everything = [str(caught.value), *(file.read_text() for file in tmp_path.rglob("*") if file.is_file())]
    assert not any(
        "hunter22" in text or "second line" in text or "not for you" in text for text in everything
    )


def test_a_variable_that_is_not_set_is_told(make):
    with pytest.raises(LabError, match="pass_on names VPN_SECRET_OF_NOBODY"):
        up(make(["true"], pass_on=["VPN_SECRET_OF_NOBODY"]))


def test_a_program_that_is_missing_is_told_with_its_package(book, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("setpriv", "bash"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setattr("pytest_ixy.programs.EXTRA_PATH", ())
    monkeypatch.setattr(connect, "may_make_interfaces", lambda: True)
    (tmp_path / "vpn0.conf").touch()
    for kind, hint in (
        ("openvpn", "apt-get install openvpn"),
        ("wireguard", "apt-get install wireguard-tools"),
    ):
        table = ConnectTable(kind=kind, config="vpn0.conf")
        with pytest.raises(LabError) as caught:
            up(Connection(table, tmp_path, book, tmp_path / "scratch", tmp_path / "log"))
        assert hint in caught.value.hint


def test_a_configuration_that_is_missing_is_told(book, tmp_path):
    table = ConnectTable(kind="openvpn", config="none.conf")
    with pytest.raises(LabError, match=r"none\.conf, cannot be read"):
        up(Connection(table, tmp_path, book, tmp_path / "scratch", tmp_path / "log"))


def test_who_is_not_root_is_told_what_it_takes(book, tmp_path, monkeypatch):
    monkeypatch.setattr(connect, "may_make_interfaces", lambda: False)
    (tmp_path / "vpn0.conf").touch()
    table = ConnectTable(kind="wireguard", config="vpn0.conf")
    with pytest.raises(LabError, match="root's rights or CAP_NET_ADMIN"):
        up(Connection(table, tmp_path, book, tmp_path / "scratch", tmp_path / "log"))


def test_rights_are_known():
    asked = "from pytest_ixy.teravm.connect import may_make_interfaces as may; print(may())"
    command = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    path = str(Path(sweep.__file__).parents[1])
    given = {"env": {**os.environ, "PYTHONPATH": path}, "capture_output": True, "text": True}
    done = subprocess.run([*command, sys.executable, "-c", asked], check=False, **given)
    assert done.stdout.strip() == "False" or "Permission denied" in done.stderr
    assert connect.may_make_interfaces() == (os.geteuid() == 0)


def test_an_interface_that_is_there_already_is_not_touched(book, tmp_path, monkeypatch):
    monkeypatch.setattr(connect, "may_make_interfaces", lambda: True)
    (tmp_path / "lo.conf").touch()
    assert undo.has_interface("lo")
    table = ConnectTable(kind="wireguard", config="lo.conf")
    connection = Connection(table, tmp_path, book, tmp_path / "scratch", tmp_path / "log")
    with pytest.raises(LabError, match="There is an interface lo already"):
        up(connection)
    assert connection.down() == []
    assert not [entry for entry in book.entries() if entry.kind == "undo"]
