"""How long it takes to a verdict, phase by phase, beside a plain shell script that does the same by hand.

    python benchmarks/time_to_verdict.py [--rounds 5] [--packets 100000] [--first] [--many]

Needs root, what pytest-ixy itself needs, ip, ssh, scp, zstd and tcpdump. The target is examples/virtio. Both
restore the same saved machines. In every round each way goes once, in random order; tables have
medians, and the ratio is the median of the rounds'. CPU time is that of all processes, QEMU among them.

Without an option: the second run of an unchanged commit, so nothing is compiled.
--first: a commit that was never built, built by one node for all, and by each for itself.
--many: four targets with -n 4, beside four runs one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pytest_ixy import kept
from pytest_ixy.ledger import create
from pytest_ixy.progress import Progress
from pytest_ixy.providers.qemu import accel, image, saved
from pytest_ixy.providers.qemu.machine import Hardware
from pytest_ixy.settings import resolve

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "virtio"
PHASES = ("restore", "connect", "send", "build", "start", "capture", "stop", "fetch", "check", "end")
SAME = {
    "image": "restore", "boot": "restore", "compare": "send", "pack": "build", "hand over": "build",
    "setup": "build", "look": "look",
}  # fmt: skip
"""Ours that are a part of what the script does in another phase, or of what it does not do."""
EXTRA = ("clone", "look", "rest")
"""What only we do: `rest` is Python's start, imports, collection, judgement, reports and take-down."""
TARGETS = 4


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of CPU, and by the clock for each phase; `own` is what the capture took."""

    wall: float
    cpu: float
    phases: dict[str, float] = field(default_factory=dict)
    own: float = 0.0

    @property
    def usable(self) -> float:
        """Seconds until three machines could be used."""
        return self.phases.get("restore", 0) + self.phases.get("connect", 0)


def children() -> float:
    """CPU seconds of all processes started here that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(work: Callable[[], tuple[dict[str, float], float]]) -> Cost:
    """What `work` costs; it returns its phases and the capture's own time."""
    began, cpu = time.monotonic(), children()
    phases, own = work()
    return Cost(time.monotonic() - began, children() - cpu, phases, own)


@dataclass(frozen=True)
class Bench:
    """A folder with a target in a git repository, the saved machines, and what runs leave."""

    folder: Path
    packets: int

    def target(self, name: str, **changes: str) -> Path:
        """A clean copy of the example; `changes` are replacements in its ixy-ci.toml."""
        folder = self.folder / name
        files = subprocess.check_output(["git", "ls-files"], cwd=EXAMPLE, text=True).split()
        folder.mkdir()
        for file in files:
            shutil.copy(EXAMPLE / file, folder / file)
        spec = (folder / "ixy-ci.toml").read_text()
        for old, new in changes.items():
            spec = spec.replace(old, new)
        (folder / "ixy-ci.toml").write_text(spec + f"# {random.random()}\n")
        git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "-qm", "b")
        return folder

    def pytest(self, target: Path, *arguments: str) -> tuple[dict[str, float], float]:
        """A run as a user makes it; phases from its bundle."""
        run = self.folder / "run"
        began = time.monotonic()
        pytest(run, self.packets, [target], *arguments)
        wall = time.monotonic() - began
        (manifest,) = run.glob("ixy-artifacts/*/manifest.json")
        data = json.loads(manifest.read_text())
        shutil.rmtree(run)
        phases: dict[str, float] = {}
        for phase in data["phases"]:
            name = SAME.get(phase["name"], phase["name"])
            phases[name] = phases.get(name, 0) + phase["seconds"]
        phases["rest"] = wall - sum(phases.values())
        return phases, data["capture"]["seconds"]

    def by_hand(self, tree: Path, how: str) -> tuple[dict[str, float], float]:
        """The script, in a namespace of its own."""
        place = self.folder / "hand"
        shutil.copytree(self.folder / "machines", place, symlinks=True)
        (place / "tree").symlink_to(tree)
        command = ["timeout", "-k", "9", "900", "unshare", "-n", HERE / "by_hand.sh"]
        command += [place, how, str(self.packets)]
        lines = subprocess.check_output(command, text=True).split("\n")
        phases = {name: float(seconds) for name, seconds in (line.split() for line in lines if line)}
        if phases.pop("count") != self.packets:
            print("by hand: not as many packets as were asked for")
        shutil.rmtree(place)
        return phases, phases["capture"]


def git(folder: Path, *words: str) -> None:
    """Run git."""
    subprocess.run(["git", *words], cwd=folder, check=True)


def pytest(run: Path, packets: int, targets: list[Path], *arguments: str) -> None:
    """Run pytest on targets in a new folder; all must pass."""
    run.mkdir()
    repos = [f"--ixy-repo={target}" for target in targets]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *repos, *arguments]
    command += [f"--ixy-packets={packets}", "--html=report.html", "--self-contained-html"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("IXY_", "PYTEST_"))
    }
    done = subprocess.run(command, cwd=run, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pytest ended with status {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def machines(folder: Path) -> None:
    """The saved state for the script, and QEMU's arguments."""
    settings = resolve(cli={}, environ={}, ini={})
    scratch = folder / "scratch"
    scratch.mkdir()
    found = image.ensure(Progress().tell, scratch)
    hardware = Hardware(found, accel.choose(settings.qemu.accel, found.folder)[0], settings.qemu.memory)
    book = create(f"benchmark-{os.getpid()}")
    state = saved.ensure(hardware, book, scratch, 600, Progress().tell)
    book.settle()
    place = folder / "machines"
    place.mkdir()
    words = hardware.arguments()
    sandbox = words.index("-sandbox")  # under which the script could not load a state as it does
    (place / "qemu").write_text("\n".join(words[:sandbox] + words[sandbox + 2 :]) + "\n")
    (place / "memory").symlink_to(state.memory)
    (place / "disk").symlink_to(state.disk)
    shutil.copy(hardware.image.key, place / "key")


def built(target: Path) -> Path:
    """A copy of the target with its programs, built on this host for any."""
    tree = target.with_name("built")
    shutil.copytree(target, tree)
    subprocess.run(["make", "-s", "LDFLAGS=-static"], cwd=tree, check=True)
    return tree


def measure(
    ways: dict[str, Callable[[], tuple[dict[str, float], float]]], rounds: int
) -> dict[str, list[Cost]]:
    """All ways in every round, in random order."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    order = random.Random(1)
    for number in range(rounds):
        for name in order.sample(list(ways), len(ways)):
            costs[name].append(timed(ways[name]))
            last = costs[name][-1]
            words = f"{last.wall:.1f} s, {last.cpu:.1f} s of CPU"
            print(f"  round {number + 1}: {name}: {words}", file=sys.stderr)
    return costs


def median(values: list[float]) -> str:
    """As text."""
    return f"{statistics.median(values):9.2f}"


def show(costs: dict[str, list[Cost]], base: str) -> None:
    """Phases by way, then totals and their ratio to the way `base`."""
    width = max(map(len, costs)) + 2
    print(f"{'':{16}}" + "".join(f"{name:>{width}}" for name in costs))
    for phase in (*PHASES, *EXTRA):
        print(
            f"{phase:16}"
            + "".join(f"{median([c.phases.get(phase, 0) for c in all_]):>{width}}" for all_ in costs.values())
        )
    rows: dict[str, Callable[[Cost], float]] = {
        "usable after": lambda cost: cost.usable,
        "whole run": lambda cost: cost.wall,
        "capture's own": lambda cost: cost.own,
        "CPU": lambda cost: cost.cpu,
    }
    for row, of in rows.items():
        print(f"{row:16}" + "".join(f"{median([of(c) for c in all_]):>{width}}" for all_ in costs.values()))
    for row in ("whole run", "CPU"):
        ratios = [
            median([rows[row](one) / rows[row](other) for one, other in zip(all_, costs[base], strict=True)])
            for all_ in costs.values()
        ]
        print(f"{row + ', x':16}" + "".join(f"{ratio:>{width}}" for ratio in ratios))


def second(bench: Bench, rounds: int) -> None:
    """The second run of an unchanged commit."""
    target = bench.target("target")
    tree = built(target)
    bench.pytest(target)  # builds, so that the next one does not
    ways = {"by hand": lambda: bench.by_hand(tree, "built"), "pytest-ixy": lambda: bench.pytest(target)}
    costs = measure(ways, rounds)
    show(costs, "by hand")
    over = [cost.wall - 1.5 * cost.own for cost in costs["pytest-ixy"]]
    print(f"whole run less 1.5 times the capture: {statistics.median(over):.1f} s (goal 10)")


def first(bench: Bench, rounds: int) -> None:
    """A commit that was never built before."""
    once = bench.target("once")
    each = bench.target("each", **{"build_once = true": "build_once = false"})
    ways = {
        "by hand, once": lambda: bench.by_hand(once, "once"),
        "by hand, each": lambda: bench.by_hand(each, "each"),
        "once": lambda: bench.pytest(once, "--ixy-build=fresh"),
        "each": lambda: bench.pytest(each),
    }
    show(measure(ways, rounds), "by hand, once")


def many(bench: Bench, rounds: int) -> None:
    """Four targets at once, and one after the other."""
    targets = [bench.target(f"target-{number}") for number in range(TARGETS)]

    def alone() -> tuple[dict[str, float], float]:
        for target in targets:
            bench.pytest(target)
        return {}, 0.0

    def together() -> tuple[dict[str, float], float]:
        run = bench.folder / "run"
        pytest(run, bench.packets, targets, "-n", str(TARGETS))
        shutil.rmtree(run)
        return {}, 0.0

    alone()
    costs = measure({"one by one": alone, f"-n {TARGETS}": together}, rounds)
    for name, found in costs.items():
        print(f"{name:12}{median([c.wall for c in found])} s{median([c.cpu for c in found])} s of CPU")
    ratios = [
        one.cpu / other.cpu for one, other in zip(costs[f"-n {TARGETS}"], costs["one by one"], strict=True)
    ]
    print(f"CPU, x      {median(ratios)} (goal 1)")


def main() -> None:
    """Measure in a folder that goes afterwards, as do the builds that were kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--first", action="store_const", dest="what", const=first, default=second)
    parser.add_argument("--many", action="store_const", dest="what", const=many)
    arguments = parser.parse_args()
    before = {one.name for one in kept.stored()}
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    try:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            machines(Path(folder))
            arguments.what(Bench(Path(folder), arguments.packets), arguments.rounds)
    finally:
        for one in kept.stored():
            if one.name not in before:
                kept.remove(one.name)
    print(f"load {os.getloadavg()[0]:.1f} in the end")


if __name__ == "__main__":
    main()
