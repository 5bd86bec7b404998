"""Disks that record what a machine writes on top of one that is never written to."""

from __future__ import annotations

from pathlib import Path

from pytest_ixy import programs
from pytest_ixy.errors import LabError


def overlay(base: Path, base_format: str, path: Path, size: int = 0) -> Path:
    """Make the qcow2 disk `path` on top of `base`, as large or of `size` bytes; LabError when that fails."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", base_format, str(path)]
    command += [str(size)] if size else []
    done = programs.output_of(command)
    if done.returncode != 0:
        raise LabError(f"The disk {path} could not be made: {done.stderr.strip()}")
    return path
