"""A real OpenSSH server of the tests' own, on 127.0.0.1."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from pytest_ixy.remote import Access, Host

PROGRAM = Path("/usr/sbin/sshd")


def needs(*programs):
    """Skip a test on a machine that lacks one of the programs."""
    missing = [name for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def is_or_becomes_root():
    """Whether what tests do as root on the node, which is this machine, can be done."""
    sudo = ["sudo", "-n", "true"]
    return os.geteuid() == 0 or bool(
        shutil.which("sudo") and not subprocess.run(sudo, stderr=subprocess.DEVNULL, check=False).returncode
    )


needs_root = pytest.mark.skipif(not is_or_becomes_root(), reason="sudo asks for a password")


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(condition, seconds=30.0):
    """Wait for a condition; its last value is returned."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Sshd:
    """A server in a folder; `access` is the way in."""

    def __init__(self, folder: Path, *lines: str):
        self.folder = folder
        self.port = free_port()
        for name in ("host", "user"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
            subprocess.run(key, check=True)
        config = folder / "sshd_config"
        config.write_text(
            "\n".join(lines) + "\n"  # of two that are the same, the first one counts
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\nLogLevel ERROR\nMaxStartups 50\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it for its unprivileged child
        with (folder / "sshd.log").open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "-D", "-e", "-f", config], stderr=log, stdin=subprocess.DEVNULL
            )
        self.access = Access(
            name="fwd",
            host="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            key=str(folder / "user"),
            host_key=(folder / "host.pub").read_text().strip(),
        )

    def connect(self) -> Host:
        return Host.connect(self.access, deadline=30)

    def sessions(self):
        """Process ids of the server's children, one per connection."""
        return children(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()
