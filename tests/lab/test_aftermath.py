"""What roles leave on real machines: crashes are explained, leaks found and cleaned up; and a debugger."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

LEAVE = (
    "mountpoint -q /mnt/huge || { mkdir -p /mnt/huge; mount -t hugetlbfs none /mnt/huge; }; "
    "fallocate -l 4M /mnt/huge/left; setsid -f sleep 300 >/dev/null 2>&1; "
    "echo 0000:00:07.0 > /sys/bus/pci/devices/0000:00:07.0/driver/unbind; "
    "echo >>/tmp/trials; [ $(wc -l </tmp/trials) -lt 2 ] || mount -o remount,ro /mnt/huge; "
)
"""What a bad fwd does before it begins; what the second one leaves cannot be removed."""

TWICE = """
import pytest
from pytest_ixy.errors import LabError
from pytest_ixy.rules import judge

def test_twice(ixy_trial):
    first, second = ixy_trial(), ixy_trial()
    crashes = [bundle.manifest.roles["fwd"].crash for bundle in (first, second)]
    assert crashes[0].fingerprint == crashes[1].fingerprint
    assert [crash.earlier for crash in crashes] == [0, 1]
    for bundle in (first, second):
        found = {finding.rule: finding for finding in judge(bundle, ["exits", "console", "leaks"])}
        assert "fwd was ended by SIGSEGV in mischief_strike" in found["exits"].title
        assert "(no debugging symbols" not in found["exits"].message
        assert "#0 " in found["exits"].message
        assert (found["console"].outcome, found["console"].title) == ("reported", "fwd: segfault of fwd")
        words = "fwd left 2 huge pages of 2,048 KiB in use, in 1 file"
        words += " and left 1 of its processes running (sleep)"
        assert (found["leaks"].outcome, found["leaks"].title) == ("reported", words)
        assert "0000:00:07.0 had driver virtio-pci and has no driver" in found["leaks"].message
        assert "segfault" in bundle.text("consoles/fwd.kernel")
        assert "rip" in bundle.text("roles/fwd.crash.txt")
    assert "seen in 1 earlier trial" in found["exits"].message
    before = [{node.name: node.before for node in bundle.manifest.nodes}["fwd"] for bundle in (first, second)]
    assert [state.processes for state in before] == [(), ()]
    assert [state.files for state in before] == [(), ()]
    assert before[0].devices == before[1].devices
    assert before[0].huge_pages == before[1].huge_pages
    assert before[0].core_pattern == before[1].core_pattern
    with pytest.raises(LabError, match="cleaned up: fwd: cannot remove /mnt/huge/left"):
        ixy_trial()
"""


def test_a_crash_is_explained_and_known_again_and_the_node_is_put_back_in_order(runner, target, config):
    folder = target(fwd="--crash-after 1000")
    toml = folder / "ixy-ci.toml"
    toml.write_text(toml.read_text().replace('fwd = "./fwd', f'fwd = "{LEAVE}./fwd'))
    (runner.folder / "test_own.py").write_text(TWICE)
    result = runner.run(folder, "--ixy-packets=2000", f"--ixy-config={config}", "test_own.py")
    assert result.returncode == 0, result.output
    # the same is told when the bundle is judged again
    bundle = min((result.folder / "ixy-artifacts").iterdir())
    words = [
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        f"--ixy-replay={bundle}",
        "--html=again.html",
        "-k",
        "exits",
    ]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=runner.folder,
        env=runner.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fwd was ended by SIGSEGV in mischief_strike" in done.stdout
    assert "fwd: what is known of its crash" in (runner.folder / "again.html").read_text()


def test_a_kernel_that_panics_is_named_by_its_last_words(runner, target):
    folder = target()
    toml = folder / "ixy-ci.toml"
    toml.write_text(
        toml.read_text().replace('fwd = "./fwd', 'fwd = "sleep 3; echo c >/proc/sysrq-trigger; ./fwd')
    )
    result = runner.run(folder, "--ixy-packets=2000", "-k", "role")
    (error,) = (result.texts[name] for name in result.having("error"))
    assert "lost node fwd" in error
    assert "The console of fwd says: Kernel panic - not syncing: sysrq triggered crash" in error


def test_a_debugger_stops_fwd_at_the_first_packets_and_lets_it_go(runner, target):
    if shutil.which("gdb") is None:
        pytest.skip("not installed: gdb")
    process = runner.start(target(), "--ixy-packets=2000", "--ixy-gdb=fwd", "-k", "role or count")
    runner.until("target remote", process)
    (where,) = set(re.findall(r"gdb -ex 'target remote (127\.0\.0\.1:\d+)'\n", runner.output)) - {
        "127.0.0.1:2159"
    }
    steps = [f"target remote {where}", "break mischief_apply", "continue", "backtrace", "delete", "detach"]
    options = [word for step in steps for word in ("-ex", step)]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", *options], capture_output=True, text=True, timeout=200, check=False
    )
    assert re.search(r"#0 .*mischief_apply", done.stdout), done.stdout + done.stderr
    assert re.search(r"#\d .*in main", done.stdout)
    result = runner.finish(process)
    assert result.having("failure") == set(), result.output
    assert result.outcomes["capture-count"] == "passed"
