"""Runs pytest on a target, as a user would, and reads what it left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

LIMITS = "[timeouts]\ncapture = 8\nstop = 4\n"
"""Deadlines that suit a target which is known to fail."""
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--junitxml=report.xml")
ARTIFACTS = "ixy-artifacts"
ALONE = "alone-"
"""How the short names of localise's tests start."""
KINDS = {"failure": "failed", "error": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class Result:
    """What one run of pytest found.

    Attributes:
        outcomes: `passed`, `failed`, `reported`, `skipped` or `error` by short name, such as `role-fwd`.
        words: The first line of what those said that did not pass.
        seconds: How long the run took.
    """

    outcomes: dict[str, str]
    words: dict[str, str]
    seconds: float

    @property
    def told(self) -> dict[str, str]:
        """The outcomes on the trial itself, without those of localise."""
        return {name: outcome for name, outcome in self.outcomes.items() if not name.startswith(ALONE)}

    @property
    def named(self) -> frozenset[str]:
        """The roles that localise names."""
        parts = [name.removeprefix(ALONE) for name in self.outcomes.keys() - self.told.keys()]
        return frozenset(part.partition("-")[0] for part in parts if self.outcomes[ALONE + part] == "failed")


def in_machines(folder: Path, target: Path, packets: int) -> Result:
    """Try the target in machines; the bundle stays in `folder`."""
    (folder / "config.toml").write_text(LIMITS, encoding="utf-8")
    return _run(folder, f"--ixy-repo={target}", f"--ixy-packets={packets}", "--ixy-config=config.toml")


def again(folder: Path, earlier: Result) -> Result:
    """Judge once more, without machines, the first bundle in `folder`; what localise found is kept."""
    first, *_ = sorted((folder / ARTIFACTS).iterdir())
    found = _run(folder, f"--ixy-replay={first}")
    kept = {name: outcome for name, outcome in earlier.outcomes.items() if name.startswith(ALONE)}
    return replace(found, outcomes={**found.outcomes, **kept})


def _run(folder: Path, *arguments: str) -> Result:
    began = time.monotonic()
    (folder / "report.xml").unlink(missing_ok=True)
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            # should this program be killed, pytest cleans up as after Ctrl-C
            ["setpriv", "--pdeathsig", "INT", *PYTEST, *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must reach it once, not twice
        )
        _wait(process)
    seconds = round(time.monotonic() - began, 1)
    return Result(*read_outcomes(folder), seconds)


def _environment() -> dict[str, str]:
    removed = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "GITHUB_STEP_SUMMARY")
    return {name: value for name, value in os.environ.items() if name not in removed}


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end; when interrupted ask it to end, and wait for its clean-up."""
    try:
        process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def read_outcomes(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The outcomes in a folder where pytest ran, and the words that came with them, by short name."""
    outcomes, words = {}, {}
    for name, outcome, text in (*_cases(folder / "report.xml"), *_reported(folder)):
        outcomes[name] = outcome
        if text:
            words[name] = text
    return outcomes, words


def _cases(report: Path) -> Iterator[tuple[str, str, str]]:
    """Short name, outcome and first line of each test."""
    for case in ET.parse(report).iter("testcase") if report.exists() else ():
        name = (case.get("name") or "").removeprefix("test_")
        short = re.sub(r"\[.*@[0-9a-f]{7}(\+dirty)?-(.*)\]$", r"-\2", name)
        found = next((child for child in case if child.tag in KINDS), None)
        if found is None:
            yield short, "passed", ""
        else:
            yield short, KINDS[found.tag], (found.get("message") or "").partition("\n")[0]


def _reported(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The rules that were broken without failing; JUnit has no word for them."""
    for path in (folder / ARTIFACTS).glob("*/findings.json"):
        for finding in json.loads(path.read_text("utf-8")):
            if finding["outcome"] == "reported":
                yield f"capture-{finding['rule']}", "reported", finding["title"]
