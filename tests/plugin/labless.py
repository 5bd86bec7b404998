"""A lab without machines, for pytest's `-p labless`: its trials are made on the spot, good or bad.

LABLESS names what is bad, in words: a role (each trial in which the target plays it sees packets twice),
`together` (so do those in which it plays all), `lab` (so do those of references, until there are new
machines), `broken` (then, too), `build`, `lost` (every trial loses a node), `worker` (no new machines).
LABLESS_LOG is a file that gets a line for each trial and for new machines.
"""

from __future__ import annotations

import os
from pathlib import Path

import labless_trials as trials

from pytest_ixy.course import USUAL
from pytest_ixy.errors import LabError
from pytest_ixy.lab import Lab

BAD = set(os.environ.get("LABLESS", "").split())


def log(line):
    with Path(os.environ["LABLESS_LOG"]).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def prepare(_lab):
    pass


def builds(lab):
    return trials.builds(lab, bad="build" in BAD)


def run_trial(lab, packets=None, players=None, course=USUAL):
    del packets
    players = players or lab.cast
    own = {role for role, player in players.items() if player == "target"}
    log(" ".join(sorted(own) or ["references"]) + " swapped" * course.swapped)
    if "lost" in BAD:
        raise LabError("a node was lost")
    together = "together" in BAD and len(own) == len(players)
    bad = together or own & BAD or (not own and BAD & {"lab", "broken"})
    return trials.made(lab, players, twice=bool(bad))


def renew(_lab):
    if "worker" in BAD:
        raise LabError("none for a worker", hint="do without -n")
    log("new machines")
    BAD.discard("lab")


@property
def testbed(_lab):
    raise LabError("this lab has no machines")


for name in ("prepare", "builds", "run_trial", "renew", "testbed"):
    setattr(Lab, name, globals()[name])
