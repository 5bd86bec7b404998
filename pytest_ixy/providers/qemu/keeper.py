"""The process that holds the test networks; run as a program with a TAG, by `network.py`.

It enters a network namespace of its own (and, for an ordinary user, a user namespace), makes one
bridge per network and one tap per NIC, hands the taps' file descriptors to its parent and then
answers requests. The namespace lives as long as the taps are open somewhere: it dies with the
keeper and the machines. Requests come over an abstract Unix socket named after TAG, one JSON line each:

    {"do": "counters"}            -> {"tap0": {"sent": 12, "received": 0, "dropped": 0}, …}
    {"do": "drain"}               -> {}    throw away what waits in the taps
    {"do": "pace", "pid": 12, "taps": ["tap1"]} -> {}    hold process 12 to what tap1 can take
    {"do": "pace"}                -> {}    let it run again
    anything else                 -> {"error": "…"}
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_ixy.providers.qemu.devices import counted
from pytest_ixy.providers.qemu.pacer import Pacer

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
VNET_HEADER = 12


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones, as the system call does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


def enter_namespace() -> None:
    """Enter a new network namespace; an ordinary user becomes root in a user namespace first."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        unshare(CLONE_NEWNET)
        return
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")


def be_silent() -> None:
    """No IPv6 on anything made from now on: its neighbour discovery would land in captures."""
    _set("ipv6/conf/all/disable_ipv6", "1")
    _set("ipv6/conf/default/disable_ipv6", "1")


def be_transparent() -> None:
    """No packet filter on the bridges: it would cut frames to what their IP header says."""
    for family in ("iptables", "ip6tables", "arptables"):
        _set(f"bridge/bridge-nf-call-{family}", "0")


def _set(name: str, value: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # a kernel without the feature is as good
        Path(f"/proc/sys/net/{name}").write_text(value, encoding="ascii")


def open_tap(name: str) -> int:
    """A tap device with vnet headers; without these QEMU would not offer checksum offload to ixy."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(
        descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
    )
    fcntl.ioctl(descriptor, TUNSETVNETHDRSZ, struct.pack("i", VNET_HEADER))
    return descriptor


def make_bridge(link: Any, name: str) -> int:
    """A bridge that adds no frame of its own and floods what it does not know."""
    quiet = {"br_stp_state": 0, "br_mcast_snooping": 0, "br_forward_delay": 0}
    link.link("add", ifname=name, kind="bridge", **quiet)
    index: int = link.link_lookup(ifname=name)[0]
    link.link("set", index=index, state="up", arp=False)
    return index


def make_networks(link: Any, plan: dict[str, list[str]]) -> dict[str, int]:
    """Bridges and taps as planned (bridge -> taps); the taps' file descriptors by name."""
    descriptors = {}
    for bridge, taps in plan.items():
        master = make_bridge(link, bridge)
        for tap in taps:
            descriptors[tap] = open_tap(tap)
            index = link.link_lookup(ifname=tap)[0]
            link.link("set", index=index, master=master, state="up", arp=False)
    return descriptors


def drain(descriptors: Iterable[int]) -> dict[str, int]:
    """Read and forget what no machine has fetched from the taps: it is of a trial that is over."""
    for descriptor in descriptors:
        os.set_blocking(descriptor, False)
        with contextlib.suppress(BlockingIOError):
            while os.read(descriptor, 65536):
                pass
    return {}


class Service:
    """Answers requests until the parent closes its end; paces a process in between."""

    def __init__(self, listener: socket.socket, parent: socket.socket, taps: dict[str, int]) -> None:
        self._listener, self._parent, self._taps = listener, parent, taps
        self._pacer: Pacer | None = None

    def run(self) -> None:
        """Serve until the parent is gone."""
        while True:
            ready, _, _ = select.select([self._listener, self._parent], [], [], self._patience())
            if self._pacer and time.monotonic() >= self._pacer.due:
                self._pacer.tick()
            if self._parent in ready and not self._parent.recv(1):
                break
            if self._listener in ready:
                self._accept()
        self._pace({})

    def _patience(self) -> float | None:
        return max(0.0, self._pacer.due - time.monotonic()) if self._pacer else None

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            if _is_ours(connection):
                line = connection.makefile("rb").readline()
                connection.sendall(json.dumps(self._answer_or_error(line)).encode() + b"\n")

    def _answer_or_error(self, line: bytes) -> object:
        """Whatever is asked, the networks live on."""
        try:
            return self._answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - the asker must be told
            return {"error": f"{type(error).__name__}: {error}"}

    def _answer(self, request: dict[str, Any]) -> object:
        if request["do"] == "counters":
            return counted("tap")
        return {"drain": self._drain, "pace": self._pace}[request["do"]](request)

    def _drain(self, _request: dict[str, Any]) -> dict[str, int]:
        return drain(self._taps.values())

    def _pace(self, request: dict[str, Any]) -> dict[str, int]:
        if self._pacer:
            self._pacer.end()
        self._pacer = Pacer(request["pid"], request["taps"]) if "pid" in request else None
        return {}


def _is_ours(connection: socket.socket) -> bool:
    """Whether the other end is the user who owns the networks.

    In a user namespace that user is 0, as this process is, and all others are the same nobody, root too.
    """
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


def main() -> None:
    """Take the plan from standard input's socket, make it, hand over the taps, serve."""
    parent = socket.socket(fileno=0)
    plan = json.loads(parent.recv(65536))
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\0" + sys.argv[1])  # before the namespace: abstract names belong to one
        listener.listen(8)
        enter_namespace()
        be_silent()
        be_transparent()
        from pyroute2 import IPRoute

        link = IPRoute()
        descriptors = make_networks(link, plan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must be told
        parent.sendall(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    names = list(descriptors)
    socket.send_fds(parent, [json.dumps({"taps": names}).encode()], [descriptors[name] for name in names])
    Service(listener, parent, descriptors).run()


if __name__ == "__main__":
    main()
