"""Folders in the user's cache: programs, filled databases, stacks that run."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from pytest_ixy import paths

HERE = Path(__file__).parent
LOCKS = HERE.parent / "locks"


def root() -> Path:
    """All that the stacks keep."""
    return paths.cache_folder() / "openstack"


def venv(tier: str) -> Path:
    """Where a tier's services are installed: a folder of its own for each lock file and Python."""
    texts = [LOCKS / "build.lock", LOCKS / f"{tier}.lock"]
    return root() / f"venv-{_digest(texts, sys.version)}"


def filled(tier: str) -> Path:
    """A tier's databases after all schemas; anew whenever the programs or what fills them change."""
    fillers = [HERE / "accounts.py", HERE / "prepare.py", *sorted((HERE / "services").glob("*.py"))]
    return root() / f"data-{_digest(fillers, venv(tier).name)}"


def runs() -> Path:
    """One folder per stack that runs, or that was killed."""
    return root() / "runs"


def _digest(files: list[Path], more: str) -> str:
    whole = hashlib.sha256(more.encode())
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:12]
