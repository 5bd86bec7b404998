"""Repositories that tests make, without the configuration of whoever runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, as nobody in particular; what it printed."""
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
