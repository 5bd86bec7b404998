"""Two network namespaces joined by a cable, a VPN between them, and `Connection` in the first one.

Run as root in an empty network namespace: `python vpn.py FOLDER KIND HOW`. It prints a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from pytest_ixy import ledger
from pytest_ixy.errors import LabError
from pytest_ixy.labtable import ConnectTable
from pytest_ixy.teravm.connect import Connection

OUTER, INNER = ("10.99.0.1", "10.99.0.2"), ("10.98.0.1", "10.98.0.2")
"""Addresses of the lab and of us: on the cable, and inside of the VPN."""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **more).stdout.strip()


def start(*command, **more):
    """A program of the lab, which ends with us."""
    subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], **QUIET, **more)


class Lab:
    """The other end: a namespace that lives as long as a process in it."""

    def __init__(self):
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "echo; exec sleep 600"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.enter = ["nsenter", "--net", "--target", str(self.process.pid)]
        run("ip", "link", "set", "lo", "up")
        run(*self.enter, "ip", "link", "set", "lo", "up")
        cable = ["ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1"]
        run(*cable, "netns", str(self.process.pid))
        for enter, name, address in (([], "cable0", OUTER[1]), (self.enter, "cable1", OUTER[0])):
            run(*enter, "ip", "address", "add", f"{address}/24", "dev", name)
            run(*enter, "ip", "link", "set", name, "up")


def certificate(folder: Path, name: str) -> str:
    """Make a key and a certificate; its fingerprint."""
    key, file = folder / f"{name}.key", folder / f"{name}.crt"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run(
        "openssl",
        "req",
        "-x509",
        *curve,
        "-keyout",
        key,
        "-out",
        file,
        "-subj",
        f"/CN={name}",
        stderr=subprocess.DEVNULL,
    )
    return run("openssl", "x509", "-in", file, "-noout", "-fingerprint", "-sha256").partition("=")[2]


def openvpn(lab: Lab, folder: Path) -> ConnectTable:
    theirs, ours = certificate(folder, "lab"), certificate(folder, "ci")
    common = "dev tun\nproto udp\nport 1194\ndata-ciphers AES-256-GCM\nverb 3\n"
    server = f"tls-server\ndh none\nifconfig {' '.join(INNER)}\ncert lab.crt\nkey lab.key\n"
    (folder / "lab.conf").write_text(f"{common}{server}<peer-fingerprint>\n{ours}\n</peer-fingerprint>\n")
    client = f"tls-client\nremote {OUTER[0]}\nifconfig {INNER[1]} {INNER[0]}\ncert ci.crt\nkey ci.key\n"
    (folder / "ci.conf").write_text(f"{common}{client}<peer-fingerprint>\n{theirs}\n</peer-fingerprint>\n")
    start(*lab.enter, "openvpn", "--config", "lab.conf", cwd=folder)
    return ConnectTable(kind="openvpn", config="ci.conf")


def wireguard(lab: Lab, folder: Path) -> ConnectTable:
    keys = [run("wg", "genkey") for _ in range(2)]
    public = [run("wg", "pubkey", input=key) for key in keys]
    theirs, ours = (
        f"ixy{side}{os.getpid()}" for side in ("lab", "ci")
    )  # sockets of all namespaces lie together
    text = "[Interface]\nPrivateKey = {key}\nListenPort = 51820\n{more}"
    text += "[Peer]\nPublicKey = {peer}\nAllowedIPs = {ip}/32\n"
    (folder / "lab.conf").write_text(text.format(key=keys[0], more="", peer=public[1], ip=INNER[1]))
    config, more = folder / f"{ours}.conf", f"Address = {INNER[1]}/24\n"
    config.touch(mode=0o600)
    text += f"Endpoint = {OUTER[0]}:51820\n"
    config.write_text(text.format(key=keys[1], more=more, peer=public[0], ip=INNER[0]))
    start(*lab.enter, "wireguard-go", "-f", theirs)
    configure = [*lab.enter, "wg", "setconf", theirs, folder / "lab.conf"]
    while subprocess.run(configure, check=False, **QUIET).returncode:
        time.sleep(0.05)
    run(*lab.enter, "ip", "address", "add", f"{INNER[0]}/24", "dev", theirs)
    run(*lab.enter, "ip", "link", "set", theirs, "up")
    return ConnectTable(kind="wireguard", config=config.name)


def reached(seconds: float) -> bool:
    """Whether the lab answers inside of the VPN."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((INNER[0], 8000), timeout=1):
            return True
        time.sleep(0.1)
    return False


def main() -> None:
    folder, kind, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    lab = Lab()
    start(*lab.enter, sys.executable, "-m", "http.server", "8000", "--directory", folder)
    table = {"openvpn": openvpn, "wireguard": wireguard}[kind](lab, folder)
    book = ledger.create("run-vpn")
    connection = Connection(table, folder, book, folder / "scratch", folder / "connect.log")
    connection.up(lambda _words: None)
    said = {"reached": reached(20), "ended": connection.ended()}
    if how == "killed":
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    said |= {"errors": connection.down(), "still": reached(1), "again": connection.down()}
    said["links"] = run("ip", "-o", "link")
    run(*lab.enter, "ip", "link", "set", "cable1", "down")
    table = table.model_copy(update={"wait": "2s"})
    late = Connection(table, folder, book, folder / "scratch", folder / "late.log")
    try:
        late.up(lambda _words: None)
    except LabError as error:
        said["late"] = str(error)
    said["errors"] += late.down()
    sys.stdout.write(json.dumps(said) + "\n")
    book.settle()


if __name__ == "__main__":
    main()
