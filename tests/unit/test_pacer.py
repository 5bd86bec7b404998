"""The pacer with a real process and real queues that overflow.

A program of its own enters the namespace: a namespace cannot be left again.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need_networks
from sshd import until

from pytest_ixy.providers.qemu import network
from pytest_ixy.topology import PciAddresses, forward_topology

INSIDE = """
import json, os, subprocess, sys, time
from pyroute2 import IPRoute
from pytest_ixy.providers.qemu import keeper
from pytest_ixy.providers.qemu.pacer import Pacer, dropped

keeper.enter_namespace()
link = IPRoute()
taps = keeper.make_networks(link, {"net0": ["tap-a", "tap-b"]})
frame = bytes(12) + bytes.fromhex("525400160301525400160101") + bytes(48)
busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
state = lambda: open(f"/proc/{busy.pid}/stat").read().rpartition(")")[2].split()[0]

def flood():
    for _ in range(2000):
        os.write(taps["tap-a"], frame)

def becomes(stopped):
    end = time.monotonic() + 30
    while (state() == "T") != stopped and time.monotonic() < end:
        pass
    return (state() == "T") == stopped

found = {"turns": []}
pacer = Pacer(busy.pid, ["tap-b"])
def tick(times):
    for _ in range(times):
        pacer.tick()
    return pacer._share

for turn in range(10):
    tick(1)
    found["turns"].append(becomes(stopped=turn % 2 == 0))

found["start"] = tick(0)
found["grown"] = tick(20)
flood()
found["lost"] = dropped(["tap-b"])
found["shrunk"] = tick(2)
found["least"] = min([flood() or tick(2) for _ in range(12)])
found["most"] = tick(3000)
pacer.tick()
pacer.end()
found["end"] = becomes(stopped=False)
busy.kill()
busy.wait()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    need_networks()
    done = subprocess.run(
        [sys.executable, "-c", INSIDE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_process_is_stopped_and_continued_in_turn(found):
    assert found["turns"] == [True] * 10


def test_its_share_grows_while_nothing_is_lost(found):
    assert found["grown"] > found["start"]


def test_its_share_shrinks_when_frames_are_lost(found):
    assert found["lost"] > 0
    assert found["shrunk"] < found["grown"]


def test_its_share_has_bounds(found):
    assert 0 < found["least"] < found["shrunk"]
    assert found["most"] == 1


def test_in_the_end_it_runs_freely(found):
    assert found["end"]


@pytest.fixture
def networks():
    need_networks()
    networks = network.Networks(f"pacer-test-{secrets.token_hex(6)}", forward_topology(PciAddresses()))
    yield networks
    networks.close()


@pytest.fixture
def busy():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process
        process.kill()


def state(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def pace(networks, process):
    network.ask(networks.address, {"do": "pace", "pid": process.pid, "taps": ["tap-fwd-0"]})


def test_the_keeper_paces_until_told_otherwise(networks, busy):
    pace(networks, busy)
    assert until(lambda: state(busy) == "T")
    assert until(lambda: state(busy) != "T")
    network.ask(networks.address, {"do": "pace"})
    assert until(lambda: state(busy) != "T")
    assert "T" not in {state(busy) for _ in range(1000)}


def test_a_keeper_that_is_told_to_end_lets_the_process_run(networks, busy):
    pace(networks, busy)
    assert until(lambda: state(busy) == "T")
    networks.close()
    assert until(lambda: state(busy) != "T")
    assert "T" not in {state(busy) for _ in range(1000)}


def test_the_keeper_outlives_the_process_that_it_paces(networks, busy):
    pace(networks, busy)
    busy.kill()
    busy.wait()
    descriptor = networks.taps["tap-pktgen-0"]
    for _ in range(20):
        os.write(descriptor, bytes(72))
        assert network.ask(networks.address, {"do": "counters"})["tap-pktgen-0"]["sent"] > 0
    network.ask(networks.address, {"do": "pace"})
