"""The test networks: bridges and taps in a private network namespace, held by `keeper.py`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

from pytest_ixy import programs
from pytest_ixy.errors import LabError
from pytest_ixy.topology import Nic, Node, Topology

KEEPER = "pytest_ixy.providers.qemu.keeper"
START_TIMEOUT = 30.0


def tap_name(node: Node, nic: Nic) -> str:
    """Name of the tap behind a NIC; also its id in QEMU."""
    return f"tap-{node.name[:6]}-{node.nics.index(nic)}"


def tap_names(node: Node) -> list[str]:
    """The taps behind all NICs of a node."""
    return [tap_name(node, nic) for nic in node.nics]


def plan(topology: Topology) -> dict[str, list[str]]:
    """Which taps each bridge joins; Linux allows names of 15 characters."""
    return {
        f"net{number}": [
            tap_name(node, nic) for node in topology.nodes for nic in node.nics if nic.network == network
        ]
        for number, network in enumerate(topology.networks)
    }


class Networks:
    """The bridges and taps of one testbed.

    Attributes:
        address: Name of the keeper's socket; anyone of the same user can ask it with `ask`.
        taps: File descriptor of each tap, to be handed to QEMU and then closed here.
    """

    def __init__(self, tag: str, topology: Topology) -> None:
        self.address = tag
        self.taps: dict[str, int] = {}
        # -P: the folder that the user happens to stand in must not supply modules
        command = programs.bound([sys.executable, "-P", "-m", KEEPER, tag])
        self._parent, child = socket.socketpair()
        with child:
            self._process = subprocess.Popen(
                command,
                stdin=child.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        try:
            self.taps = self._receive(plan(topology))
        except BaseException:
            self.close()
            raise

    def _receive(self, wanted: dict[str, list[str]]) -> dict[str, int]:
        count = sum(len(taps) for taps in wanted.values())
        self._parent.settimeout(START_TIMEOUT)
        try:
            self._parent.sendall(json.dumps(wanted).encode())
            text, descriptors, _, _ = socket.recv_fds(self._parent, 65536, count)
        except OSError as error:
            raise LabError(f"The process that holds the test networks gave no answer: {error}.") from error
        reply = json.loads(text or b"{}")
        if "taps" not in reply:
            raise LabError(
                f"The test networks could not be made: {reply.get('error', 'their process ended')}.",
                hint="run pytest-ixy doctor, which tries what is needed step by step",
            )
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return dict(zip(reply["taps"], descriptors, strict=True))

    def close_taps(self) -> None:
        """Close this process's copies of the taps, so that the networks end with the machines."""
        while self.taps:
            os.close(self.taps.popitem()[1])

    def close(self) -> None:
        """End the keeper; the namespace goes with the last machine that holds a tap."""
        self.close_taps()
        self._parent.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def ask(address: str, request: dict[str, Any]) -> Any:
    """Ask the keeper at `address`.

    Raises:
        LabError: it does not answer, so the networks are gone; or it could not do it.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect("\0" + address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise LabError(f"The process that holds the test networks does not answer: {error}.") from error
    if "error" in answer:
        raise LabError(f"The test networks could not {request.get('do')}: {answer['error']}.")
    return answer
