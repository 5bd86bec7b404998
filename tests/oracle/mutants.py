"""Change the rules' own code in one place, run their tests, and say which changes nobody noticed.

    python tests/oracle/mutants.py                        300 changes, spread over all files of the rules
    python tests/oracle/mutants.py --seed 2 --count 50    others, fewer
    python tests/oracle/mutants.py --only sums.py order.py --count 1000
    python tests/oracle/mutants.py --only seen.py:40-60   of those lines

One process imports what is heavy, then forks for each change: the child finds the changed module instead of
the file and runs pytest, at first on the tests that are about this module, until one fails. A change is
KILLED, SURVIVED, or TIMEOUT, which counts as killed. What survives is either a test that is missing or is
listed in survivors.md with the reason why nobody needs to notice.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import CodeType

from mutations import Mutation, mutations

ROOT = Path(__file__).parents[2]
RULES = ROOT / "pytest_ixy" / "rules"
MEMORY = 24 << 30
"""Bytes, of addresses: a bitmap takes half a GiB of those alone, a loop that never ends would take all."""

ABOUT = {
    "checksum": "checksum rfc1071 sums",
    "payload": "content touching layout template",
    "ending": "ending meanwhile",
    "placement": "placement",
    "foreign": "foreign dissect strangers protocols frequent",
    "fresh": "fresh restarts stretches",
    "loss": "loss bursts stretches numbered",
    "causes": "causes bursts loss sequence patterns frame",
    "order": "order reordering falls bits numbered",
    "seen": "seen stretches bits",
    "packets": "evidence sequence frame dissect observed bearers patterns numbered shape lengths",
    "timestamps": "timestamps clock",
    "fast": "dissect plain sight layout observed offenders seen shape lengths",
}
"""Which modules a file of tests/unit is about."""
FIRST = ["tests/unit/test_rules.py", "tests/oracle/test_faults.py", "tests/oracle/test_agreement.py"]


ARGUMENTS = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
"""The warning: these are imported before pytest can rewrite them."""


@dataclass(frozen=True)
class Course:
    """How changes are tried: with which tests (none: those that fit), how many seconds, how many at once."""

    tests: list[str]
    seconds: float
    jobs: int

    def tests_of(self, mutation: Mutation | None) -> list[str]:
        """The tests that are about that module, then those of everything; without a change, all of them."""
        about = [
            name for name, modules in ABOUT.items() if not mutation or mutation.path.stem in modules.split()
        ]
        return self.tests or [f"tests/unit/test_rules_{name}.py" for name in about] + FIRST


class Changed(SourceFileLoader):
    """Finds and loads one module, and it as it was changed."""

    def __init__(self, mutation: Mutation) -> None:
        super().__init__(module_of(mutation.path), str(mutation.path))
        self._code = mutation.code()

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        package = [str(Path(self.path).parent)] if Path(self.path).stem == "__init__" else None
        mine = name == self.name
        return (
            spec_from_file_location(name, self.path, loader=self, submodule_search_locations=package)
            if mine
            else None
        )

    def get_code(self, _name: str) -> CodeType:
        return self._code


def module_of(path: Path) -> str:
    """The name that a file is imported by."""
    names = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        names, folder = [folder.name, *names], folder.parent
    return ".".join(names)


def sample(files: Sequence[tuple[Path, range]], seed: int, count: int) -> list[Mutation]:
    """Some changes of those lines, spread over the files by how many there are of each."""
    chance = random.Random(seed)
    each = [[one for one in mutations(path) if one.line in lines] for path, lines in files]
    share = min(1.0, count / max(1, sum(map(len, each))))
    chosen = [
        one
        for found in each
        for one in chance.sample(found, min(len(found), max(1, round(share * len(found)))))
    ]
    return chance.sample(chosen, min(count, len(chosen)))


def tried(chosen: Sequence[Mutation | None], course: Course) -> Iterator[tuple[Mutation | None, str]]:
    """What becomes of each change, as it becomes known; None is the code as it is."""
    waiting, running = deque(chosen), {}
    while waiting or running:
        while waiting and len(running) < course.jobs:
            child = get_context("fork").Process(target=_child, args=(waiting[0], course))
            child.start()
            mutation = waiting.popleft()
            running[child] = mutation, time.monotonic() + course.seconds if mutation else math.inf
        wait([child.sentinel for child in running], timeout=0.2)
        for child, (mutation, end) in list(running.items()):
            if outcome := _outcome(child, end):
                del running[child]
                yield mutation, outcome


def _outcome(child: ForkProcess, end: float) -> str:
    if not child.is_alive():
        child.join()
        return "KILLED" if child.exitcode else "SURVIVED"
    if time.monotonic() < end:
        return ""
    os.killpg(child.pid, signal.SIGKILL)
    child.join()
    return "TIMEOUT"


def _child(mutation: Mutation | None, course: Course) -> None:
    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    if mutation:
        sys.meta_path.insert(0, Changed(mutation))
    folder = tempfile.mkdtemp(prefix="mutant-")
    try:
        code = pytest.main([*ARGUMENTS, f"--basetemp={folder}/t", *course.tests_of(mutation)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)


def _prepare() -> None:
    """Import what every child needs, but nothing that may be changed."""
    for name in ("numpy", "pydantic", "pytest_html", "scapy.layers.all", "xdist"):
        import_module(name)
    import hypothesis

    # a counterexample will do, it need not be the smallest
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutants", phases=phases)
    hypothesis.settings.load_profile("mutants")


def _files(only: Sequence[str]) -> list[tuple[Path, range]]:
    """The files with those names or paths and their lines; all of the rules' where there are none."""
    found = []
    for word in only:
        name, _, lines = word.partition(":")
        first, _, last = lines.partition("-")
        within = range(int(first), int(last or first) + 1) if lines else range(1, sys.maxsize)
        paths = [Path(name)] if Path(name).exists() else sorted(RULES.rglob(name))
        found += [(path.resolve(), within) for path in paths]
    return found or [(path, range(1, sys.maxsize)) for path in sorted(RULES.rglob("*.py"))]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which changes are drawn")
    parser.add_argument("--count", type=int, default=300, metavar="N", help="how many")
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="of these, FILE:LINE-LINE too")
    parser.add_argument("--tests", nargs="*", default=[], metavar="FILE", help="all tests to run")
    parser.add_argument("--seconds", type=float, default=300, help="after which a change is given up")
    parser.add_argument("--brief", action="store_true", help="fewer random examples: fast, but more survives")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="tried at once")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if anything survived, 2 if the tests fail on the code as it is."""
    options = _options(arguments)
    course = Course(options.tests, options.seconds, options.jobs)
    os.chdir(ROOT)
    if options.brief:
        os.environ["HYPOTHESIS_PROFILE"] = "brief"
    _prepare()
    if [outcome for _, outcome in tried([None], course)] != ["SURVIVED"]:
        print("the tests fail on the code as it is")
        return 2
    outcomes = Counter[str]()
    for mutation, outcome in tried(sample(_files(options.only), options.seed, options.count), course):
        outcomes[outcome] += 1
        print(f"{outcome:8} {mutation.path.name}:{mutation.line} {mutation.words}", flush=True)
    print(", ".join(f"{many} {outcome}" for outcome, many in sorted(outcomes.items())))
    return int(outcomes["SURVIVED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
