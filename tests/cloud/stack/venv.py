"""Install what a lock file names, in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock
from stack import places

PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "--no-compile")


def ensure(tier: str) -> Path:
    """The folder with a tier's programs, installed now if it is not there."""
    folder = places.venv(tier)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _install(folder, places.LOCKS / f"{tier}.lock")
    return folder


def _install(folder: Path, lock: Path) -> None:
    """A virtual environment cannot be moved: it is made in its place, and marked when it is whole."""
    print(f"installing OpenStack into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, *PIP, "-r", places.LOCKS / "build.lock"], check=True)
    # what builds the few that come as source is locked too, instead of fetched as it may come
    subprocess.run([python, *PIP, "--no-build-isolation", "-r", lock], check=True)
    (folder / "complete").touch()
