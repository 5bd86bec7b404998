"""Run tests/cloud/vm beside an OpenStack with real machines: `python tests/cloud/vm/run.py [ARGUMENTS]`.

All of it, pytest too, is in namespaces of its own (processes, mounts, network), so that the devices, folders
and namespaces of libvirt and neutron are gone with it. Needs root. The arguments are pytest's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from stack import cage, venv  # noqa: E402
from stack.site import VM  # noqa: E402

from pytest_ixy import programs  # noqa: E402


def main():
    """Enter the namespaces and run inside.py there; its status is pytest's."""
    if os.geteuid() != 0:
        sys.exit("A cloud with machines needs root: it makes network devices, and libvirt runs as root.")
    venv.ensure(VM)  # inside there is no way to the internet
    inside = [sys.executable, str(HERE / "inside.py"), *sys.argv[1:]]
    command = programs.bound(cage.caged(inside, "--mount", "--net"))
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
