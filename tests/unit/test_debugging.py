"""A role under gdbserver: its command line, and a port that leads to the node."""

from __future__ import annotations

import shlex
import socket
import threading

import pytest

from pytest_ixy import shell
from pytest_ixy.debugging import served, words
from pytest_ixy.remote import Access

pytest_plugins = ["sshd_fixtures"]

SERVER = "gdbserver 127.0.0.1:2159"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("./fwd $A $B", f"{SERVER} ./fwd $A $B"),
        ("  RUST_LOG=debug X= ./fwd $A", f"  RUST_LOG=debug X= {SERVER} ./fwd $A"),
        ("source env && cd src && ./fwd $A", f"source env && cd src && {SERVER} ./fwd $A"),
        ("ulimit -l unlimited; exec ./fwd a=b", f"ulimit -l unlimited; exec {SERVER} ./fwd a=b"),
        ("echo hello\nsudo ./fwd", f"echo hello\nsudo {SERVER} ./fwd"),
    ],
)
def test_the_last_command_is_the_program(command, expected):
    assert served(command) == expected


@pytest.fixture
def echo():
    """A port of this machine that sends back what comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def answer(server):
    try:
        while True:
            near, _ = server.accept()
            with near:
                while data := near.recv(1 << 16):
                    near.sendall(data)
    except OSError:
        return


def test_bytes_go_through_and_come_back(sshd, echo):
    data = bytes(range(256)) * 4000
    with sshd.connect() as host:
        port = host.forward(echo).port
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), 30) as near:
                threading.Thread(
                    target=lambda near=near: (near.sendall(data), near.shutdown(socket.SHUT_WR))
                ).start()
                assert b"".join(iter(lambda near=near: near.recv(1 << 16), b"")) == data


def test_nobody_listens_on_the_node(sshd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with (
        sshd.connect() as host,
        socket.create_connection(("127.0.0.1", host.forward(closed).port), 30) as near,
    ):
        assert near.recv(1) == b""


def test_a_role_that_is_started_again_is_debugged_at_the_same_port(sshd, echo):
    with sshd.connect() as host:
        assert host.forward(echo).port == host.forward(echo).port


def test_the_way_to_gdb_on_a_node_is_the_one_of_every_visit(tmp_path):
    access = Access("fwd", "127.0.0.1", 40022, "ixy", key="/a key", host_key="ssh-ed25519 AAAA")
    text = words(access, tmp_path, "fwd", 5555)
    assert "    gdb -ex 'target remote 127.0.0.1:5555'\n" in text
    (there,) = [line for line in text.splitlines() if line.startswith("    ssh ")]
    *way, last = shlex.split(there)
    assert way == [*shell.words(access, tmp_path), "-t"]
    assert shlex.split(last) == ["sudo", "gdb", "-ex", "target remote 127.0.0.1:2159"]


def test_the_port_is_gone_with_the_connection(sshd, echo):
    with sshd.connect() as host:
        port = host.forward(echo).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
