"""What judging a capture costs, beside a C program with the same rules and other readers of captures.

    python benchmarks/judge.py [--packets 100000 1000000 10000000] [--kinds uniform …] [--rounds 5] [--pcapng]
    python benchmarks/judge.py --linear [--packets 100000 1000000 10000000 100000000] [--rounds 5]

Captures are made in a temporary folder. In every round each tool runs once on each of them, as a
process of its own; the table has medians of CPU seconds (user and system), the ratio to C as the
median of the rounds' ratios, and peak memory.

With --pcapng pytest-ixy judges the same packets in that format too, which the C program cannot read.

With --linear pytest-ixy alone judges ever larger uniform captures (76 bytes a packet on the disk). The
table then has CPU time a packet and how much peak memory grows from one capture to the next.
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
LARGE = Path("/var/tmp")
"""For captures that a folder in memory has no room for."""
OURS, OURS_NG = "pytest-ixy", "pytest-ixy, pcapng"
KINDS = ("uniform", "foreign", "sizes", "faulty")
SIZES = (100_000, 1_000_000, 10_000_000)
RECORD = 76
"""Bytes of a packet in a capture."""
SLOW = 1_000_000
"""Packets beyond which readers that make an object per packet are not waited for."""

WRITE = (
    "import sys, captures, pathlib;"
    "write = captures.write_pcapng if sys.argv[1].endswith('ng') else captures.write;"
    "write(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
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
    yield OURS, ours(capture, packets)
    if Path(capture + "ng").exists():
        yield OURS_NG, ours(capture + "ng", packets)
    yield "cat", ["cat", capture]
    for name, arguments in (
        # as root it would give /dev/null to another user without -Z
        ("tcpdump", ["-Z", "root", "-r", capture, "-w", "/dev/null", "udp"]),
        ("capinfos", ["-c", capture]),
    ):
        if path := shutil.which(name):
            yield name, [path, *arguments]
    for name, code in (("dpkt", DPKT), ("scapy", SCAPY)):
        if packets <= SLOW and installed(name):
            yield name, [sys.executable, "-c", code, capture]


def ours(capture: str, packets: int) -> list[str]:
    """The command that judges with pytest-ixy."""
    return [sys.executable, str(HERE / "judge_one.py"), capture, str(packets)]


def installed(module: str) -> bool:
    """Whether it can be imported."""
    command = [sys.executable, "-c", f"import {module}"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def absent() -> list[str]:
    """The tools that the table will lack."""
    return [*(name for name in ("tcpdump", "capinfos") if not shutil.which(name)),
            *(name for name in ("dpkt", "scapy") if not installed(name))]  # fmt: skip


def write(capture: str, kind: str, packets: int) -> None:
    """Make a capture, in another process: the peak of this one's memory would be its children's."""
    subprocess.run([sys.executable, "-c", WRITE, capture, kind, str(packets)], cwd=HERE, check=True)


def measure(folder: Path, kind: str, packets: int, rounds: int, *, pcapng: bool) -> None:
    """Make one capture, print its rows of the table."""
    capture = str(folder / "capture.pcap")
    for path in (capture, capture + "ng") if pcapng else (capture,):
        write(path, kind, packets)
        run(["cat", path])  # into the page cache
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for name, command in tools(folder, capture, packets):
            costs.setdefault(name, []).append(run(command, keep=name in {OURS, OURS_NG}))
    size = Path(capture).stat().st_size / 1e6
    print(f"\n{kind}, {packets:,} packets, {size:,.0f} MB")
    yardstick = [cost.cpu for cost in costs["C"]]
    for name, found in costs.items():
        peak = max(cost.peak for cost in found)
        show(f"{name}, whole process", [cost.cpu for cost in found], yardstick, f"{peak:7.1f} MiB")
        if name in {OURS, OURS_NG}:
            inside = zip(*(map(float, cost.output.split()) for cost in found), strict=True)
            for part, seconds in zip(("the pass alone", "judging alone"), inside, strict=True):
                show(f"{name}, {part}", list(seconds), yardstick, "")


def show(name: str, seconds: list[float], yardstick: list[float], peak: str) -> None:
    """One row."""
    ratios = [one / other for one, other in zip(seconds, yardstick, strict=True) if other]
    ratio = f"{statistics.median(ratios):9.2f}" if ratios else "        -"
    print(f"  {name:36}{statistics.median(seconds):9.3f} s{ratio} x C   {peak}", flush=True)


def linear(sizes: list[int], rounds: int) -> None:
    """Whether time a packet stays the same, and memory does."""
    print("    packets   the pass    a packet    whole process    a packet   peak memory   growth a packet")
    before: tuple[int, float] | None = None
    for packets in sizes:
        needed, free = packets * RECORD, shutil.disk_usage(LARGE).free
        if needed * 1.1 > free:
            print(f"{packets:11,}   left out: {needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free")
            continue
        before = grown(packets, rounds, before)


def grown(packets: int, rounds: int, before: tuple[int, float] | None) -> tuple[int, float]:
    """One row; the number of packets and MiB at the peak are for the next one to compare with."""
    with tempfile.TemporaryDirectory(dir=LARGE) as folder:
        capture = f"{folder}/capture.pcap"
        write(capture, "uniform", packets)
        costs = [run(ours(capture, packets), keep=True) for _ in range(rounds)]
    inside = statistics.median(float(cost.output.split()[0]) for cost in costs)
    whole, peak = statistics.median(cost.cpu for cost in costs), max(cost.peak for cost in costs)
    bits = f"{(peak - before[1]) * 2**23 / (packets - before[0]):.2f} bits" if before else "-"
    print(
        f"{packets:11,} {inside:8.3f} s {inside / packets * 1e9:8.1f} ns {whole:14.3f} s "
        f"{whole / packets * 1e9:8.1f} ns {peak:9.1f} MiB {bits:>17}",
        flush=True,
    )
    return packets, peak


def main() -> None:
    """Compile, make captures, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, nargs="+")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pcapng", action="store_true")
    parser.add_argument("--linear", action="store_true")
    wanted = parser.parse_args()
    if wanted.linear:
        linear(wanted.packets or [*SIZES, 100_000_000], wanted.rounds)
        return
    for name in absent():
        print(f"{name} is not installed: skipped")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["cc", "-O3", "-o", str(folder / "judge"), str(HERE / "judge.c")], check=True)
        for packets in wanted.packets or SIZES:
            for kind in wanted.kinds:
                measure(folder, kind, packets, wanted.rounds, pcapng=wanted.pcapng)


if __name__ == "__main__":
    main()
