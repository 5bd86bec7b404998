"""A cage for processes: when the one inside that came first ends, the kernel ends all others.

It is a PID namespace. Daemons that leave their process group and their parent do not leave it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_ixy import programs

HERE = Path(__file__).parent
IMPORTABLE = (HERE / "inside", HERE.parent, HERE.parents[2])
"""What services load, this package, and pytest-ixy."""


def caged(command: Sequence[str], *more: str) -> list[str]:
    """The command, as the first process of a cage; it dies with the `unshare` that made it.

    Args:
        command: What to run.
        more: Further flags of `unshare`.
    """
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    flags = ["--pid", "--fork", "--mount-proc", "--kill-child=KILL"]
    return [programs.find("unshare"), *as_root, *flags, *more, *command]


def environment(home: Path) -> dict[str, str]:
    """What processes inside get to know of their surroundings: next to nothing.

    Proxies would stand between services on loopback, `OS_*` would be read by clients, and without
    bytecode files (PYTHONDONTWRITEBYTECODE) every start takes three times as long.
    """
    return {
        "PATH": programs.search_path(),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(map(str, IMPORTABLE)),
        "PYTHONWARNINGS": "ignore",
    }
