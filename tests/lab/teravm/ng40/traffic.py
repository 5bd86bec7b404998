"""STAND-IN for an NG40 controller: real UDP packets on loopback, and a capture of them."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

TCPDUMP = os.environ.get("NG40_TCPDUMP", "standin-tcpdump").split()
DEADLINE = "10"


@dataclass(frozen=True)
class Counted:
    """Packets of one direction, as both ends counted them."""

    sent: int
    received: int

    def line(self, direction: str, between: str) -> str:
        if not self.sent:
            return f"No pkt {direction} tx"
        lost = self.sent - self.received
        return f"{direction} Loss= {between}= {lost:>7}(pkts); {100 * lost / self.sent:.2f}(%)"


def exchange(packets: int, loss: float, capture: Path | None) -> Counted:
    """Send packets, `loss` percent of them to a port where nobody listens, and count what arrives.

    Without a capture nothing is sent.
    """
    lost = round(packets * loss / 100)
    if capture is None:
        return Counted(packets, packets - lost)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2)
        port, nowhere = receiver.getsockname()[1], 9
        recorder = _record(capture, port, nowhere, packets) if packets else None
        for number in range(packets):
            sender.sendto(b"ng40 stand-in %d" % number, ("127.0.0.1", nowhere if number < lost else port))
        received = sum(bool(receiver.recv(2048)) for _ in range(packets - lost))
    if recorder:
        recorder.wait()
    return Counted(packets, received)


def _record(file: Path, port: int, nowhere: int, packets: int) -> subprocess.Popen[str]:
    """Start tcpdump and wait until it listens; it ends by itself."""
    which = f"udp and (dst port {port} or dst port {nowhere})"
    recorder = subprocess.Popen(
        ["timeout", DEADLINE, *TCPDUMP, "-i", "lo", "-n", "-p", "-U", "--immediate-mode", "-c", str(packets),
         "-w", str(file), which],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert recorder.stderr is not None
    for line in recorder.stderr:
        if "listening" in line:
            break
    return recorder
