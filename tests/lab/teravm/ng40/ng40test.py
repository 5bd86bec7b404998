#!/usr/bin/python3
"""STAND-IN for ng40test: runs a test list and prints what the real one prints; see plan.py for the lists."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import places
from plan import Case, Plan, read
from traffic import Counted, exchange

SIGNALING = """Signaling Table
           AttUE     ActCTXT   BrReq     BrAct     RelRq     RelAc     ActS1
ng40_ran_1 {0}         {0}         {0}         {0}         0         0         1
"""
DOWNLINK = """User Plane Downlink Table
           AS_PktTx      AS_EthTx      S1uEthRx      S1uPktRx
ng40_ran_1 {0}             {0}             {1}             {1}
"""
UPLINK = """User Plane Uplink Table
           S1uPktTx      S1uEthTx      AS_EthRx      AS_PktRx
ng40_ran_1 {0}             {0}             {1}             {1}
"""
TIMEOUT, TICK = 1800, 0.25
REFUSED, NO_LIST, FAILED = 2, 3, 1


class Run:
    """One run of a list: everything is printed and goes into the run's log as well."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
        self.log = (places.RUN_LOGS / f"{plan.name.removesuffix('.ntl')}_{self.stamp}.log").open("wb")
        self.verdicts: list[str] = []

    def write(self, data: bytes) -> None:
        for stream in (self.log, sys.stdout.buffer):
            stream.write(data)
            stream.flush()

    def say(self, text: str) -> None:
        self.write(f"{text}\n".encode())

    def tables(self, down: Counted, up: Counted, second: float) -> None:
        shown = [SIGNALING.format(1), DOWNLINK.format(down.sent, down.received)]
        shown += [UPLINK.format(up.sent, up.received), f"Watchtime: {second:.0f} Timeout: {TIMEOUT}"]
        self.say("\n".join(shown))

    def all(self) -> None:
        """Go through the list."""
        for name in self.plan.planned:
            self.log.write(f"Run test case {name}\n".encode())
        self.say("**** Load Profile Settings ****\n$pps = 1000\n$bps = 500000000")
        for word, value in self.plan.steps:
            getattr(self, word)(value)

    def case(self, case: Case) -> None:
        """Run one case, and leave its log and capture."""
        name = f"{case.name}_{self.stamp}"
        capture = places.CAPTURES / f"{name}.pcap" if self.plan.traffic else None
        if self.plan.announce:
            self.say(f"Run test case {case.name}")
        down = exchange(case.packets, case.loss, capture)
        self._watch(self.plan.time if case.time is None else case.time, down)
        self.say("All Tests are finished")
        if case.verdict != "NONE":
            self.verdicts.append(case.verdict)
            self.say(f"Verdict({case.name}) = VERDICT_{case.verdict}")
        losses = [down.line("DL", "AS_PktTx-S1uPktRx"), down.line("UL", "S1uPktTx-AS_PktRx")]
        self.say("\n".join(["**** Packet Loss ****", *losses, "Wait for RAN shutdown", "done"]))
        text = f"stand-in's log of {case.name}\nverdict {case.verdict}\n{losses[0]}\n"
        (places.CASE_LOGS / f"{name}.log").write_text(text)

    def _watch(self, seconds: float, down: Counted) -> None:
        start = time.monotonic()
        while True:
            passed = time.monotonic() - start
            self.tables(down, down, passed)
            if passed + TICK >= seconds:
                time.sleep(max(0.0, seconds - passed))
                return
            time.sleep(TICK)

    def print(self, data: bytes) -> None:
        self.write(data + b"\n")

    def cut(self, data: bytes) -> None:
        self.write(data)
        self.crash(None)

    def crash(self, _: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def silence(self, _: object) -> None:
        while True:
            time.sleep(60)

    def hang(self, _: object) -> None:
        self._watch(float("inf"), Counted(0, 0))

    def stubborn(self, _: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        places.start_stubborn()

    def end(self) -> int:
        """The list's verdict; the program's exit status."""
        worst = next((one for one in ("FAIL", "INCONC") if one in self.verdicts), "PASS")
        verdict = self.plan.verdict or worst
        if verdict != "NONE":
            self.say(f"Testlist verdict = VERDICT_{verdict}")
        usual = 0 if verdict == "PASS" else FAILED
        return usual if self.plan.status is None else self.plan.status


def run(plan: Plan, ran: subprocess.Popen[str]) -> int:
    """Run the list."""
    me = places.note("test", os.getpid(), plan.name)
    made = Run(plan)
    made.all()
    _end_ran(ran)
    me.unlink(missing_ok=True)
    return made.end()


def _end_ran(ran: subprocess.Popen[str]) -> None:
    places.kill(places.CONTROL / f"ran-{ran.pid}")
    ran.wait()


def main() -> int:
    places.enter("ng40test")
    if len(sys.argv) != 2:
        sys.exit("usage: ng40test FILE.ntl (stand-in)")
    try:
        plan = read(Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(f"ng40test (stand-in): {error}")
        return NO_LIST
    with places.alone():
        why = places.busy()
        ran = None if plan.query or why else places.start_ran(plan.name)
    if ran:
        return run(plan, ran)
    print(f"ng40test (stand-in): the system is {f'busy: {why}' if why else 'idle'}")
    return REFUSED if why else 0


if __name__ == "__main__":
    sys.exit(main())
