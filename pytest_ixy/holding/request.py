"""What a holder is to own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_ixy.settings import Settings
from pytest_ixy.topology import Topology


@dataclass(frozen=True)
class Request:
    """What to provision, and the run's ledger (its file) and scratch folder."""

    ledger: Path
    scratch: Path
    topology: Topology
    settings: Settings
