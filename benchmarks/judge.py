"""What judging a capture costs, beside a C program with the same rules and other readers of captures.

    python benchmarks/judge.py [--packets 100000 1000000 10000000] [--kinds uniform …] [--rounds 5]

Captures are made in a temporary folder. In every round each tool runs once on each of them, as a
process of its own; the table has medians of CPU seconds (user and system), the ratio to C as the
median of the rounds' ratios, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
OURS = "pytest-ixy"
KINDS = ("uniform", "foreign", "sizes", "faulty")
SLOW = 1_000_000
"""Packets beyond which readers that make an object per packet are not waited for."""

WRITE = (
    "import sys, captures, pathlib; captures.write(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
)
SCAPY = """
import sys
from scapy.utils import RawPcapReader
for data, meta in RawPcapReader(sys.argv[1]):
    data[38:40] == b"\\0\\x1a" and data[42:45] == b"ixy", data[56:60]
"""
DPKT = """
import sys, dpkt
with open(sys.argv[1], "rb") as file:
    for time, data in dpkt.pcap.Reader(file):
        data[38:40] == b"\\0\\x1a" and data[42:45] == b"ixy", data[56:60]
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, MiB at the peak, and what was printed, if that was to be kept."""

    cpu: float
    peak: float
    output: str


def run(command: list[str], *, keep: bool = False) -> Cost:
    """One process to its end."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE if keep else subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    output = process.stdout.read().decode() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:  # 1: a rule failed
        raise SystemExit(f"{' '.join(command[:3])}… ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def tools(folder: Path, capture: str, packets: int) -> Iterator[tuple[str, list[str]]]:
    """Name and command of everything that is installed and worth waiting for."""
    yield "C", [str(folder / "judge"), capture, str(packets)]
    yield OURS, [sys.executable, str(HERE / "judge_one.py"), capture, str(packets)]
    yield "cat", ["cat", capture]
    for name, arguments in (
        ("tcpdump", ["-r", capture, "-w", "/dev/null", "udp"]),
        ("capinfos", ["-c", capture]),
    ):
        if path := shutil.which(name):
            yield name, [path, *arguments]
    for name, code in (("dpkt", DPKT), ("scapy", SCAPY)):
        if packets <= SLOW and installed(name):
            yield name, [sys.executable, "-c", code, capture]


def installed(module: str) -> bool:
    """Whether it can be imported."""
    command = [sys.executable, "-c", f"import {module}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def absent() -> list[str]:
    """The tools that the table will lack."""
    return [*(name for name in ("tcpdump", "capinfos") if not shutil.which(name)),
            *(name for name in ("dpkt", "scapy") if not installed(name))]  # fmt: skip


def measure(folder: Path, kind: str, packets: int, rounds: int) -> None:
    """Make one capture, print its rows of the table."""
    capture = str(folder / "capture.pcap")
    subprocess.run([sys.executable, "-c", WRITE, capture, kind, str(packets)], cwd=HERE, check=True)
    run(["cat", capture])  # into the page cache
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for name, command in tools(folder, capture, packets):
            costs.setdefault(name, []).append(run(command, keep=name == OURS))
    size = Path(capture).stat().st_size / 1e6
    print(f"\n{kind}, {packets:,} packets, {size:,.0f} MB")
    yardstick = [cost.cpu for cost in costs["C"]]
    for name, found in costs.items():
        peak = max(cost.peak for cost in found)
        show(f"{name}, whole process", [cost.cpu for cost in found], yardstick, f"{peak:7.1f} MiB")
        if name == OURS:
            inside = zip(*(map(float, cost.output.split()) for cost in found), strict=True)
            for part, seconds in zip(("the pass alone", "judging alone"), inside, strict=True):
                show(f"{name}, {part}", list(seconds), yardstick, "")


def show(name: str, seconds: list[float], yardstick: list[float], peak: str) -> None:
    """One row."""
    ratios = [one / other for one, other in zip(seconds, yardstick, strict=True) if other]
    ratio = f"{statistics.median(ratios):9.2f}" if ratios else "        -"
    print(f"  {name:28}{statistics.median(seconds):9.3f} s{ratio} x C   {peak}", flush=True)


def main() -> None:
    """Compile, make captures, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    for name in absent():
        print(f"{name} is not installed: skipped")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["cc", "-O3", "-o", str(folder / "judge"), str(HERE / "judge.c")], check=True)
        for packets in wanted.packets:
            for kind in wanted.kinds:
                measure(folder, kind, packets, wanted.rounds)


if __name__ == "__main__":
    main()
