"""A provider whose machines are processes, and pytest's `-p tiny`: trials on these are made on the spot.

TINY is JSON: `room` is how many testbeds there can be at once; by the target's name, `broken` ones cannot
be provisioned, `slow` ones take forever, the fwd of `twice` ones sends packets twice, `crash` ones crash
their worker, `hang` ones never end a trial, and the first machines of `damaged` ones fail references.
TINY_LOG is a file that gets a line when a testbed is made or unmade.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pytest_ixy import programs
from pytest_ixy.bundle import NodeRecord, ProviderRecord
from pytest_ixy.course import USUAL
from pytest_ixy.errors import LabError
from pytest_ixy.providers.base import Testbed
from pytest_ixy.remote import Access

NOBODY = Access("fwd", "127.0.0.1", 1, "nobody")
WISH = json.loads(os.environ.get("TINY", "{}"))


def log(*words):
    with Path(os.environ["TINY_LOG"]).open("a", encoding="utf-8") as stream:
        stream.write(" ".join(words) + "\n")


def made(name):
    return Path(os.environ["TINY_LOG"]).read_text().splitlines().count(f"make {name}")


def wished(what, name):
    return name in WISH.get(what, ())


class Tiny:
    """See `pytest_ixy.providers.base.Provider`."""

    def __init__(self):
        self.machine = None

    def check(self, settings):
        pass

    def capacity(self, _settings):
        return WISH.get("room")

    def provision(self, topology, settings, book, _scratch, progress):
        self.name = Path(settings.repo).name
        with progress.phase("boot"):
            tag = f"{book.run}-vm"
            book.intend("process", tag)
            command = [sys.executable, "-c", "import time; time.sleep(600)", tag]
            self.machine = subprocess.Popen(programs.bound(command))
            log("make", self.name)
            if wished("slow", self.name):
                self.machine.wait()
        if wished("broken", self.name):
            raise LabError("no machine", hint="buy one")
        record = ProviderRecord(name="tiny", version="1")
        return Testbed(book.run, topology, record, (NodeRecord(name="fwd", nics=()),), {"fwd": NOBODY})

    def destroy(self):
        if self.machine is not None:
            self.machine.kill()
            self.machine.wait()
            log("unmake", self.name)
            self.machine = None
        return []


def pytest_configure():
    """Replace what needs real machines."""
    import labless_trials as trials

    from pytest_ixy.lab import Lab

    def run_trial(lab, packets=None, players=None, course=USUAL):
        del packets, course
        name = lab.target.record.name
        if wished("crash", name):
            os.kill(os.getpid(), signal.SIGKILL)
        if wished("hang", name):
            log("hang", name)
            time.sleep(600)
        players = players or lab.cast
        broken = wished("damaged", name) and made(name) == 1 and "target" not in players.values()
        return trials.made(
            lab, players, twice=broken or (wished("twice", name) and players["fwd"] == "target")
        )

    def prepare(lab):
        _ = lab.testbed

    Lab.prepare, Lab.builds, Lab.run_trial = prepare, trials.builds, run_trial
