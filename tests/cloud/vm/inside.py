"""The first process of the namespaces that run.py makes: a host for OpenStack, the OpenStack, pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import host  # noqa: E402
from stack import control  # noqa: E402
from stack.site import VM  # noqa: E402


def main():
    """Be the init that libvirt needs, which waits for the death of processes that it lets go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(work())
    ended = 0
    while ended != worker:
        ended, status = os.wait()
    sys.exit(os.waitstatus_to_exitcode(status))


def work():
    """Run pytest beside a stack; its status is ours."""
    host.prepare()
    stack = control.start(tier=VM)
    print((stack.folder / "supervisor.log").read_text("utf-8"), flush=True)
    environment = {**os.environ, "IXY_CLOUDS": str(stack.clouds)}
    command = [sys.executable, "-m", "pytest", *(sys.argv[1:] or [str(HERE)])]
    done = subprocess.run(command, env=environment, check=False)
    stack.end()
    return done.returncode


if __name__ == "__main__":
    main()
