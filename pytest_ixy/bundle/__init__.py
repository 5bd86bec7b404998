"""The folder that a trial leaves: the seam between the lab and the judgement.

BUNDLE/
  manifest.json          `Manifest`, everything that is known about the trial
  capture.pcap           what the pcap role wrote
  capture-back.pcap      the same at the other end, where packets were sent both ways
  sent.pcap              the frames that the reference pktgen sent, where they were of another kind
  target.diff            how the work tree differed from the commit (dirty targets only)
  build/ROLE.log         output of the build commands on that role's node
  roles/ROLE.log         output of the role while it ran
  roles/ROLE.crash.txt   backtrace and what else tells of its crash
  roles/ROLE.core.zst    its core dump, where the node had no gdb
  consoles/NODE.log      serial console of the node
  consoles/NODE.kernel   what its kernel logged during the trial
  rates.json             packets per second through each role (see `rates.py`)
  counters.json          what the networks counted, over time (see `series.py`)
  memory.json            the memory that roles had, over time (long trials only)
"""

from __future__ import annotations

from pytest_ixy.bundle.folder import BACK, CAPTURE, DIFF, MANIFEST, SENT, Bundle, load, write
from pytest_ixy.bundle.manifest import Manifest
from pytest_ixy.bundle.records import (
    Build,
    BuildStep,
    CaptureRecord,
    CourseRecord,
    Event,
    Exit,
    NicRecord,
    NodeRecord,
    Phase,
    ProviderRecord,
    Run,
    TargetRecord,
)

__all__ = [
    "BACK",
    "CAPTURE",
    "DIFF",
    "MANIFEST",
    "SENT",
    "Build",
    "BuildStep",
    "Bundle",
    "CaptureRecord",
    "CourseRecord",
    "Event",
    "Exit",
    "Manifest",
    "NicRecord",
    "NodeRecord",
    "Phase",
    "ProviderRecord",
    "Run",
    "TargetRecord",
    "load",
    "write",
]
