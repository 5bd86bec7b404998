"""Builds and trials of labs that have no machines."""

from __future__ import annotations

from bundles import make_bundle, make_manifest, make_run
from captures import ixy_frame

from pytest_ixy.bundle import Build, BuildStep, Exit

TWICE = [*range(98), 99, 5]


def builds(lab, *, bad=False):
    lab.folder.mkdir(parents=True, exist_ok=True)
    step = BuildStep(command="make", exit=Exit(status=int(bad)), seconds=1.0)
    return {role: Build(steps=(step,), log=f"build/{role}.log") for role in make_manifest().builds}


def made(lab, players, *, twice):
    """The bundle of a trial, in which pcap captured some packets twice or all once."""
    lab._trials += 1
    bundle = make_bundle(
        lab.folder.parent,
        map(ixy_frame, TWICE if twice else range(100)),
        run=lab.folder.name + (f"-{lab._trials}" if lab._trials > 1 else ""),
        target=lab.target.record,
        roles={role: make_run(role, player=players[role]) for role in ("pcap", "fwd", "pktgen")},
    )
    lab.latest = bundle.path
    return bundle
