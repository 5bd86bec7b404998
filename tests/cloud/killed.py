"""Provision COUNT times, each time killed one entry of the ledger later: killed.py FOLDER COUNT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import openstack  # noqa: F401 - once, for all children
import testbeds

from pytest_ixy import ledger

AT_ONCE = 3


def provision(folder, number):
    """In a child: provision, and be killed once `number` entries are written."""
    book = ledger.create(f"killed-at-{number}")
    written, intend = [], book.intend

    def count(kind, name):
        intend(kind, name)
        written.append(name)
        if len(written) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    book.intend = count
    folder.mkdir()
    testbeds.provision(book, folder, testbeds.settings(folder))


def main(folder, count):
    """Some children at once; 1 when one of them was not killed."""
    left, running, bad = list(range(1, count + 1)), 0, 0
    while left or running:
        if left and running < AT_ONCE:
            number = left.pop(0)
            running += 1
            if not os.fork():
                try:
                    provision(folder / str(number), number)
                finally:
                    os._exit(1)
        else:
            running -= 1
            bad += os.waitstatus_to_exitcode(os.wait()[1]) != -signal.SIGKILL
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
