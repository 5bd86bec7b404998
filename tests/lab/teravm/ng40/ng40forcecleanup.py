#!/usr/bin/python3
"""STAND-IN for ng40forcecleanup: ends all that runs on the tester, whosever it is."""

from __future__ import annotations

import sys

import places


def main() -> None:
    places.enter("ng40forcecleanup")
    if sys.argv[1:] != ["all"]:
        sys.exit("usage: ng40forcecleanup all (stand-in)")
    print("ng40forcecleanup (stand-in)")
    if places.NO_CLEANUP.exists():
        sys.exit("cannot reach the system controller")
    for file in sorted(places.CONTROL.glob("*-[0-9]*")):
        print(f"kill {file.name}", flush=True)
        places.kill(file)
    places.BUSY.unlink(missing_ok=True)
    print("all components are down")


if __name__ == "__main__":
    main()
