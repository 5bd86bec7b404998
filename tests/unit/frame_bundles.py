"""Bundles of trials of scenario `frames`, for tests to spoil."""

from __future__ import annotations

from bundles import make_bundle, make_run
from captures import packets, pcap

from pytest_ixy.bundle import SENT, CourseRecord
from pytest_ixy.dialect import shipped
from pytest_ixy.traffic.classes import CLASSES

C = shipped("c")


def touch(frame):
    """What ixy's fwd in C does."""
    return frame[:1] + bytes([(frame[1] + 1) % 256]) + frame[2:]


def trial(tmp_path, name="size-60", change=list, *, touched=touch, course="", **overrides):
    """The bundle of a trial in which `change` was done to the list of frames that arrive."""
    traffic = CLASSES[name]()
    came = change([touched(frame) for frame in traffic.frames])
    players = {"pktgen": "reference", "fwd": "target", "pcap": "reference"}
    made = make_bundle(
        tmp_path,
        pcap(packets(came)),
        scenario="frames",
        packets=len(traffic.frames),
        course=CourseRecord(words="frames", name=course or f"frames {name}", traffic=name, sent=SENT),
        **{
            "dialect": C,
            "roles": {role: make_run(role, player=player) for role, player in players.items()},
            **overrides,
        },
    )
    (made.path / SENT).write_bytes(traffic.pcap())
    return made
