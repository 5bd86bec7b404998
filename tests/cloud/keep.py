"""Keep a stack up by hand, for development: `.venv/bin/python tests/cloud/keep.py start|status|stop|install`.

Tests that ask for a cloud use it while it is up, instead of starting one.
"""

from __future__ import annotations

import sys

from stack import control, venv
from stack.site import API


def start():
    """Bring it up, unless it is."""
    if not control.by_hand().ready():
        control.start(name=control.HAND, bound=False)
    status()


def status():
    """Say whether it is up, and where its clouds.yaml is."""
    stack = control.by_hand()
    print(f"up: {stack.clouds}" if stack.ready() else "not up")


def stop():
    """End it, with all that is in it."""
    control.by_hand().end()


def install():
    """Install the services, which the first start would do."""
    venv.ensure(API)


if __name__ == "__main__":
    {"start": start, "status": status, "stop": stop, "install": install}[sys.argv[1]]()
