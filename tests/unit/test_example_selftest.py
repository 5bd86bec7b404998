"""The example target's own tests, those that need no device."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sshd import needs

EXAMPLE = Path(__file__).parents[2] / "examples" / "virtio"


@needs("make", "gcc")
def test_make_check(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "virtio", ignore=shutil.ignore_patterns("*.o", "*.d", "selftest"))
    command = ["make", "-s", "CC=gcc", "check"]
    done = subprocess.run(command, cwd=tmp_path / "virtio", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
