"""A trial where everything but the capture is as it should be; the capture is put in again and again."""

from __future__ import annotations

from pathlib import Path

from bundles import make_bundle, make_nodes

from pytest_ixy.bundle import Bundle
from pytest_ixy.dialect import Dialect
from pytest_ixy.rules import Finding, judge, rules

NAMES = tuple(rules())
OF_TRIAL = ("sent", "exits", "console", "leaks", "preflight")
"""Rules that ask for more of a trial than its capture."""
OF_CAPTURE = tuple(name for name in NAMES if name not in OF_TRIAL)
STRICT = {name: {"severity": "fail"} for name in NAMES}


class Bench:
    """Judges captures, one after the other in the same folder; every rule that is broken fails."""

    def __init__(self, folder: Path, dialect: Dialect | None = None) -> None:
        self._bundle = make_bundle(folder, nodes=make_nodes(sent=10**10, received=10**10))
        self._changes = {"rules": STRICT, "dialect": dialect}

    def judge(self, data: bytes, count: int) -> dict[str, Finding]:
        """What each rule says about a capture of a trial that asked for `count` packets."""
        assert self._bundle.capture is not None
        self._bundle.capture.write_bytes(data)
        manifest = self._bundle.manifest.model_copy(update={"packets": count, **self._changes})
        return {finding.rule: finding for finding in judge(Bundle(self._bundle.path, manifest), NAMES)}

    def outcomes(self, data: bytes, count: int) -> dict[str, str]:
        return {rule: finding.outcome for rule, finding in self.judge(data, count).items()}
