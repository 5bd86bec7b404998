"""A lab without machines, for pytest's `-p labless`: its trials are made on the spot, good or bad.

LABLESS names what is bad, in words: a role (each trial in which the target plays it sees packets twice),
`together` (so do those in which it plays all), `lab` (so do those of references, until there are new
machines), `broken` (then, too), `build`, `lost` (every trial loses a node), `worker` (no new machines).
LABLESS_LOG is a file that gets a line for each trial and for new machines.
"""

from __future__ import annotations

import os
from pathlib import Path

from bundles import make_bundle, make_manifest, make_run
from captures import ixy_frame

from pytest_ixy.bundle import Build, BuildStep, Exit
from pytest_ixy.course import USUAL
from pytest_ixy.errors import LabError
from pytest_ixy.lab import Lab

BAD = set(os.environ.get("LABLESS", "").split())
TWICE = [*range(98), 99, 5]


def log(line):
    with Path(os.environ["LABLESS_LOG"]).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def prepare(_lab):
    pass


def builds(lab):
    lab.folder.mkdir(parents=True, exist_ok=True)
    step = BuildStep(command="make", exit=Exit(status=int("build" in BAD)), seconds=1.0)
    return {role: Build(steps=(step,), log=f"build/{role}.log") for role in make_manifest().builds}


def run_trial(lab, packets=None, players=None, course=USUAL):
    del packets
    players = players or lab.cast
    own = {role for role, player in players.items() if player == "target"}
    log(" ".join(sorted(own) or ["references"]) + " swapped" * course.swapped)
    if "lost" in BAD:
        raise LabError("a node was lost")
    together = "together" in BAD and len(own) == len(players)
    bad = together or own & BAD or (not own and BAD & {"lab", "broken"})
    lab._trials += 1
    made = make_bundle(
        lab.folder.parent,
        map(ixy_frame, TWICE if bad else range(100)),
        run=lab.folder.name + (f"-{lab._trials}" if lab._trials > 1 else ""),
        target=lab.target.record,
        roles={role: make_run(role, player=players[role]) for role in ("pcap", "fwd", "pktgen")},
    )
    lab.latest = made.path
    return made


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
