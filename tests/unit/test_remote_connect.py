"""Connecting to nodes that are slow, silent, wrong or lost: real sockets and a real SSH server."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sshd import Sshd, children, free_port, needs_root, until

from pytest_ixy.errors import LabError
from pytest_ixy.remote import Access, Host, dial, link

pytest_plugins = ["sshd_fixtures"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert until(lambda: set(threading.enumerate()) <= before), threading.enumerate()


@pytest.fixture
def mute():
    """A listener that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_access_survives_json(sshd):
    assert Access.from_dict(json.loads(json.dumps(sshd.access.as_dict()))) == sshd.access


def test_close_ends_everything_and_may_be_repeated(sshd):
    host = sshd.connect()
    process = host.start("echo ready; sleep 60")
    assert until(lambda: process.output)
    host.close()
    host.close()
    with pytest.raises(LabError, match=r"lost node fwd .*the connection was closed"):
        process.wait(10)
    with pytest.raises(LabError, match="the connection was closed to start a command"):
        host.run("true", timeout=10)


def test_a_silent_listener_is_bounded(sshd, mute):
    waits = []
    with pytest.raises(LabError, match=rf"node fwd: no SSH to .*:{mute} in .*; last cause: SSH handshake"):
        Host.connect(replace(sshd.access, port=mute), deadline=1.5, on_wait=waits.append)
    assert waits == sorted(waits)


def test_a_closed_port_is_tried_until_the_deadline(sshd):
    waits = []
    with pytest.raises(LabError, match="last cause: Connection refused"):
        Host.connect(replace(sshd.access, port=free_port()), deadline=1.2, on_wait=waits.append)
    assert len(waits) >= 2


def test_a_node_that_comes_late_is_reached(sshd):
    """The port is closed at first; then something forwards it to the server."""
    port = free_port()
    relay = []

    def come_up(_seconds):
        if not relay:
            relay.append(subprocess.Popen([sys.executable, "-c", RELAY, str(port), str(sshd.port)]))

    try:
        pinned = replace(sshd.access, port=port)
        with Host.connect(pinned, deadline=30, on_wait=come_up) as host:
            assert host.run("echo up", timeout=30).output == "up\n"
    finally:
        for process in relay:
            process.kill()
            process.wait()


RELAY = """
import socket, sys, threading
def copy(a, b):
    while data := a.recv(65536):
        b.sendall(data)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    peer = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    threading.Thread(target=copy, args=(client, peer), daemon=True).start()
    threading.Thread(target=copy, args=(peer, client), daemon=True).start()
"""


def test_a_machine_known_to_be_dead_ends_the_wait(sshd):
    with pytest.raises(LabError, match="node fwd: QEMU ended with status 1"):
        Host.connect(
            replace(sshd.access, port=free_port()), deadline=600, alive=lambda: "QEMU ended with status 1"
        )


def test_a_wrong_host_key_is_refused_at_once(sshd):
    other = (sshd.folder / "user.pub").read_text().strip()
    with pytest.raises(LabError, match="is not the expected host"):
        Host.connect(replace(sshd.access, host_key=other), deadline=600)


def test_an_unknown_host_is_refused_at_once(sshd, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LabError, match="no known_hosts file has a key for"):
        Host.connect(replace(sshd.access, host_key=None), deadline=600)


def test_a_host_in_known_hosts_is_accepted(sshd, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {sshd.access.host_key}\n")
    with Host.connect(replace(sshd.access, host_key=None), deadline=30) as host:
        assert host.run("true", timeout=30).ok


@pytest.mark.parametrize("cipher", [dial.CIPHER, "aes256-ctr"])
def test_the_fast_cipher_is_taken_where_the_node_has_it(tmp_path, cipher):
    server = Sshd(tmp_path, f"Ciphers aes256-ctr{',' + cipher if cipher == dial.CIPHER else ''}")
    try:
        with server.connect() as host:
            assert host._link.transport.remote_cipher == host._link.transport.local_cipher == cipher
            assert host.run("true", timeout=30).ok
    finally:
        server.stop()


@needs_root
def test_a_long_transfer_gets_new_keys_on_the_way(tmp_path):
    data = random.Random(1).randbytes(24_000_000)
    (tmp_path / "there").write_bytes(data)
    server = Sshd(tmp_path, "RekeyLimit 1M")
    try:
        with server.connect() as host:
            first = host._link.transport.H
            assert host.fetch(str(tmp_path / "there"), tmp_path / "here", timeout=60) == len(data)
            assert first != host._link.transport.H
    finally:
        server.stop()
    assert (tmp_path / "here").read_bytes() == data


def test_a_wrong_key_is_refused_at_once(sshd):
    with pytest.raises(LabError, match=r"refused the log-in(?s:.)*check the user and the key"):
        Host.connect(replace(sshd.access, key=str(sshd.folder / "host")), deadline=600)


def test_a_machine_that_is_being_set_up_may_refuse_the_key_for_a_while(sshd):
    authorized = sshd.folder / "user.pub"
    key = authorized.read_text()
    authorized.write_text("")
    with Host.connect(
        sshd.access, deadline=60, set_up=False, on_wait=lambda _: authorized.write_text(key)
    ) as host:
        assert host.run("true", timeout=30).ok


def test_a_machine_that_is_being_set_up_is_never_entered_under_another_host_key(sshd):
    other = (sshd.folder / "user.pub").read_text().strip()
    waits = []
    with pytest.raises(LabError, match=r"no SSH to (?s:.)*is not the expected host"):
        Host.connect(replace(sshd.access, host_key=other), deadline=1.2, set_up=False, on_wait=waits.append)
    assert waits


@pytest.mark.parametrize("text", ["", "not a key", None])
def test_an_unusable_key_file_is_named(sshd, tmp_path, text):
    if text is not None:
        (tmp_path / "key").write_text(text)
    with pytest.raises(LabError, match=r"cannot read the private key .*/key"):
        Host.connect(replace(sshd.access, key=str(tmp_path / "key")), deadline=600)


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "ssh-ed25519 $$$", "ssh-nonsense AAAA", "ssh-ed25519 AAAA"]
)
def test_an_unusable_host_key_is_named(sshd, text):
    with pytest.raises(LabError, match="node fwd: not a host key"):
        Host.connect(replace(sshd.access, host_key=text), deadline=600)


def lose(sshd, known, how):
    """Signal the processes of the connection that came after `known`: two, unless the user is root."""
    (session,) = set(sshd.sessions()) - set(known)
    processes = [session, *(pid for pid in children(session) if is_sshd(pid))]
    for pid in processes:
        os.kill(pid, how)
    return processes


def is_sshd(pid):
    return Path(f"/proc/{pid}/comm").read_text().startswith("sshd")


def test_a_connection_lost_while_a_process_runs_is_a_lab_error(sshd, tmp_path):
    known = sshd.sessions()
    with sshd.connect() as host:
        process = host.start(f"echo $$ > {tmp_path}/pid; echo so far; exec sleep 60", log=tmp_path / "log")
        assert until(lambda: process.output)
        lose(sshd, known, signal.SIGKILL)
        with pytest.raises(LabError, match=r"lost node fwd .*the connection broke while `echo"):
            process.wait(60)
        assert (tmp_path / "log").read_text() == process.output == "so far\n"
        assert host.lost == "the connection broke"
        with pytest.raises(LabError, match="lost node fwd"):
            process.stop()
    pid = (tmp_path / "pid").read_text().strip()
    assert until(
        lambda: (
            "sleep"
            not in subprocess.run(["ps", "-p", pid], check=False, capture_output=True, text=True).stdout
        )
    )


def test_a_node_that_falls_silent_is_noticed(sshd, monkeypatch):
    monkeypatch.setattr(link, "INTERVAL", 0.2)
    monkeypatch.setattr(link, "SILENCE", 1.0)
    known = sshd.sessions()
    with sshd.connect() as host:
        process = host.start("echo ready; sleep 60")
        assert until(lambda: process.output)
        processes = lose(sshd, known, signal.SIGSTOP)
        try:
            with pytest.raises(LabError, match=r"lost node fwd .*did not answer for 1 s while"):
                process.wait(60)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGKILL)


@needs_root
def test_a_connection_lost_in_a_transfer_is_a_lab_error(sshd, tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 32)
    known = sshd.sessions()
    with sshd.connect() as host:
        killed = []

        def kill(_done):
            if not killed:
                killed.append(lose(sshd, known, signal.SIGKILL))

        with pytest.raises(LabError, match=r"lost node fwd .* while reading"):
            host.fetch(str(tmp_path / "sparse"), tmp_path / "local", timeout=60, progress=kill)


def deaf(host):
    """Nothing can be sent to the node any more; what it has sent can still be read."""
    with suppress(OSError):  # the connection has ended already
        host._link.transport.sock.shutdown(socket.SHUT_WR)


@needs_root
@pytest.mark.parametrize(
    "move",
    [
        lambda host, here, **told: host.fetch(str(here / "noise"), here / "local", **told),
        lambda host, here, **told: host.upload(here / "noise", str(here / "there"), **told),
    ],
    ids=["fetch", "upload"],
)
def test_a_connection_that_breaks_for_sending_first_is_a_lab_error(sshd, tmp_path, move):
    (tmp_path / "noise").write_bytes(os.urandom(8 << 20))
    with sshd.connect() as host, pytest.raises(LabError, match=r"lost node fwd .* while (reading|writing)"):
        move(host, tmp_path, timeout=60, progress=lambda _done: deaf(host))


def test_a_process_ends_when_nothing_can_be_sent_any_more(sshd, monkeypatch):
    broken = []
    monkeypatch.setattr(threading, "excepthook", broken.append)
    with sshd.connect() as host:
        process = host.start("exec yes")
        assert until(lambda: process.output)
        deaf(host)
        with pytest.raises(LabError, match=r"lost node fwd .* ran"):
            process.wait(60)
        process.close()
    assert broken == []


def test_ssh_says_nothing_of_its_own(sshd, mute, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    known = sshd.sessions()
    with pytest.raises(LabError):
        Host.connect(replace(sshd.access, port=mute), deadline=1)
    with sshd.connect() as host:
        process = host.start("sleep 60")
        lose(sshd, known, signal.SIGKILL)
        with pytest.raises(LabError):
            process.wait(60)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_importing_the_package_does_not_load_paramiko():
    code = "import sys, pytest_ixy.remote; sys.exit('paramiko' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
