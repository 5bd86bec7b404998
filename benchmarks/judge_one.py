"""Judge one capture by the rules that the C program has; prints what that costs inside of the process.

    python benchmarks/judge_one.py CAPTURE PACKETS

Two numbers, CPU seconds: the pass over the capture, which is what the C program does; and all of
judging, which for a bad capture has more passes, to find and show the packets. Imports that each
judging needs are made before and are part of the whole process only.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from pytest_ixy.bundle import Bundle, CaptureRecord, Manifest, ProviderRecord, TargetRecord
from pytest_ixy.rules import Evidence, pick
from pytest_ixy.thrift import thrift

RULES = (
    "fresh", "count", "sequence-bounds", "duplicates", "size", "structure", "payload", "order", "loss",
    "checksum", "timestamps",
)  # fmt: skip


def bundle(capture: Path, packets: int) -> Bundle:
    """A trial of which nothing is known but the capture."""
    target = TargetRecord(
        label="-", name="-", source="-", ref=None, commit="0" * 40, dirty=False, subject="-"
    )
    manifest = Manifest(
        run="-", scenario="-", packets=packets, started=datetime.now(tz=UTC), target=target,
        provider=ProviderRecord(name="-"), nodes=(), builds={}, roles={},
        capture=CaptureRecord(file=capture.name, deadline=1),
    )  # fmt: skip
    return Bundle(capture.parent, manifest)


def main() -> None:
    """Print both; the status is 1 when a rule fails."""
    thrift.begin()  # as the command does
    import pytest_ixy.rules.kernel.observed  # noqa: F401

    evidence = Evidence(bundle(Path(sys.argv[1]), int(sys.argv[2])))
    begin = time.process_time()
    _ = evidence.observed
    passed = time.process_time()
    findings = [rule.judge(evidence) for rule in pick(RULES)]
    print(passed - begin, time.process_time() - begin)
    sys.exit(any(finding.failed for finding in findings))


if __name__ == "__main__":
    main()
