"""How many testbeds this host can take at once."""

from __future__ import annotations

import os
from pathlib import Path

MACHINES = 3
OVERHEAD = 160
"""MiB of a machine's QEMU and its buffers, beside the machine's own memory."""
MEMINFO = Path("/proc/meminfo")


def testbeds(memory: int) -> int:
    """As many as there is memory for, if all of theirs is used, and no more than cores; at least one.

    A testbed has three machines whose programs wait by asking again and again. They keep more than one
    core busy only while there is traffic, and the keeper paces that to what there is.

    Args:
        memory: Of each machine, in MiB.
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, _available() // (MACHINES * (memory + OVERHEAD))))


def _available() -> int:
    """MiB that can be had without swapping; 0 where that is not known."""
    lines = MEMINFO.read_text(encoding="ascii").splitlines() if MEMINFO.exists() else []
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) // 1024 if found else 0
