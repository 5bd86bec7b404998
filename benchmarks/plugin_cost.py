"""What the plugin costs a run of pytest that has nothing to do with it.

    python benchmarks/plugin_cost.py [RUNS]

Runs one empty test with and without the plugin in turn and compares CPU seconds pair by pair.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("IXY_", "PYTEST_"))
    }
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    """Print both medians and the median of the ratios."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="ascii")
        pairs = [(cpu_seconds([], folder), cpu_seconds(["-p", "no:ixy"], folder)) for _ in range(runs)]
    with_plugin, without = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"with the plugin    {with_plugin * 1000:7.1f} ms CPU (median of {runs})")
    print(f"without            {without * 1000:7.1f} ms CPU")
    print(f"ratio              {ratio:7.3f}")


if __name__ == "__main__":
    main()
