"""Judges captures the slow and obvious way: what the fast rules have to agree with, outcome and numbers.

Written from the rules' definitions (docs/rules.md), not from the fast code. One function for each rule;
those about sequence numbers are in `slow_sequence.py`, those about bytes in `slow_bytes.py`.
"""

from __future__ import annotations

from itertools import pairwise

from slow_bytes import checksum, foreign, payload, size, structure
from slow_packets import parse
from slow_reader import read
from slow_sequence import duplicates, fresh, loss, order, sequence_bounds
from slow_trial import SKIPPED, Trial, Verdict, verdict

from pytest_ixy.dialect import Dialect, shipped

YEAR_2000 = 946_684_800 * 10**9


def judge(data: bytes, expected: int, dialect: Dialect | None = None) -> dict[str, Verdict]:
    reading, dialect = read(data), dialect or shipped()
    trial = Trial(reading, [parse(frame, dialect) for frame in reading.frames], expected, dialect)
    rules = (fresh, duplicates, size, structure, payload, order, loss, checksum, timestamps, foreign)
    return {
        "complete": complete(trial),
        "count": count(trial),
        "sequence-bounds": sequence_bounds(trial),
        **{rule.__name__: rule(trial) for rule in rules},
    }


def complete(trial: Trial) -> Verdict:
    frames = trial.reading.frames
    whole = all(len(frame.data) == frame.original for frame in frames)
    good = trial.reading.flaw is None and bool(frames) and whole
    numbers = {"frames": len(frames), "packets": len(trial.udp), "expected": trial.expected}
    return verdict(not good, numbers)


def count(trial: Trial) -> Verdict:
    if trial.unreadable:
        return SKIPPED
    udp = len(trial.udp)
    numbers = {"packets": udp, "expected": trial.expected, "foreign": len(trial.packets) - udp}
    return verdict(udp != trial.expected, numbers)


def timestamps(trial: Trial) -> Verdict:
    """Records without any time (pcapng's simple packets) are left out."""
    stamped = [frame for frame in trial.reading.frames if frame.time is not None]
    if not stamped:
        return SKIPPED
    times = [frame.time or 0 for frame in stamped]
    back = [before - after for before, after in pairwise(times) if after < before]
    odd = sum(frame.out_of_range for frame in stamped)
    unset, early, frames = times.count(0), sum(time < YEAR_2000 for time in times), len(stamped)
    numbers = {
        "backwards": len(back),
        "furthest_back": max(back, default=0) / 10**9,
        "out_of_range": odd,
        "unset": unset,
        "early": early,
        "frames": frames,
    }
    return verdict(back or odd or early, numbers)
