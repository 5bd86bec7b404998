"""What kernels and sanitizers said during the trial: `console`, and the events that it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import make_bundle, make_nodes

from pytest_ixy.crash.kernel import LINES, MOST, events
from pytest_ixy.rules import judge

STRICT = {"console": {"severity": "fail"}}
CRASHES = Path(__file__).parent / "crashes"

SEGFAULT = "fwd[160]: segfault at 0 ip 0000000000403f7e sp 00007ffd194d6170 error 6 in fwd[401000]"
HARMLESS = """[    6.370135] pci 0000:00:06.0: [1af4:1000] type 00 class 0x020000\r
[    6.372038] pci 0000:00:06.0: BAR 0 [io  0x0000-0x001f]\r
[    6.407096] virtio-pci 0000:00:06.0: enabling device (0000 -> 0003)\r
[    6.519060] ACPI: \\_SB_.LNKB: Enabled at IRQ 10\r
[  158.689684] virtio_net virtio3 ens7: renamed from eth0\r
[  172.324095] hrtimer: interrupt took 29635773 ns\r
Accepted publickey for ixy from 10.0.2.2 port 44482 ssh2: ED25519 SHA256:na511j4BHEYk5iLHn2Ep\r
"""


def ask(tmp_path, console="", kernel="", *, spoken=0, fwd=""):
    """The finding where fwd's node said that; `fwd` is the role's own output."""
    nodes = []
    for node in make_nodes(104, 101):
        told = {"console": "fwd.log", "kernel": "fwd.kernel", "spoken": spoken} if node.name == "fwd" else {}
        nodes.append(node.model_copy(update=told))
    bundle = make_bundle(tmp_path, nodes=tuple(nodes), rules=STRICT)
    (bundle.path / "fwd.log").write_bytes(console.encode())
    (bundle.path / "fwd.kernel").write_text(kernel)
    (bundle.path / "roles" / "fwd.log").write_text(fwd)
    return judge(bundle, ["console"])[0]


def test_a_console_that_is_not_there_says_nothing(tmp_path):
    nodes = tuple(node.model_copy(update={"console": "gone.log"}) for node in make_nodes(104, 101))
    (found,) = judge(make_bundle(tmp_path, nodes=nodes, rules=STRICT), ["console"])
    assert (found.outcome, found.title) == ("skipped", "not judged: no console is on record")


@pytest.mark.parametrize("spoken", [10**30, -1])
def test_where_to_begin_may_be_absurd(tmp_path, spoken):
    assert ask(tmp_path, HARMLESS, spoken=spoken).outcome == "passed"


def test_a_quiet_node(tmp_path):
    finding = ask(tmp_path, HARMLESS, HARMLESS)
    assert (finding.outcome, finding.title) == ("passed", "nothing grave on 3 consoles")


def test_a_segfault_is_told_once_with_the_program(tmp_path):
    line = f"[   16.445033] {SEGFAULT}\n"
    finding = ask(tmp_path, HARMLESS + line.replace("\n", "\r\n"), line)
    assert (finding.outcome, finding.title) == ("failed", "fwd: segfault of fwd")
    assert finding.numbers == {"nodes": 3, "events": 1}
    assert SEGFAULT in finding.message


def test_what_is_older_than_the_trial_does_not_count(tmp_path):
    old = f"[   16.445033] {SEGFAULT}\r\n"
    assert ask(tmp_path, old + HARMLESS, spoken=len(old)).outcome == "passed"


def test_a_sanitizer(tmp_path):
    output = "ready: forwarding\n" + (CRASHES / "ub.txt").read_text()
    finding = ask(tmp_path, fwd=output)
    assert finding.title.startswith("fwd: UndefinedBehaviorSanitizer: signed integer overflow")


def test_another_ones_crash_report_is_none_of_it(tmp_path):
    assert ask(tmp_path, fwd=(CRASHES / "rust.txt").read_text()).outcome == "passed"


def test_many_kinds_are_counted(tmp_path):
    said = "\n---[ end trace 0000000000000000 ]---\n".join(FIRST.values())
    finding = ask(tmp_path, kernel=said)
    assert finding.numbers["events"] == len(FIRST)
    assert finding.title.endswith(" more")


FIRST = {
    "panic": "Kernel panic - not syncing: sysrq triggered crash",
    "oops": "Oops: 0002 [#1] PREEMPT SMP NOPTI",
    "bug": "BUG: kernel NULL pointer dereference, address: 0000000000000000",
    "warning": "WARNING: CPU: 0 PID: 160 at net/sched/sch_generic.c:525 dev_watchdog+0x207/0x210",
    "segfault": SEGFAULT,
    "trap": "traps: ixy-pcap[164] trap invalid opcode ip:40509b sp:7fff1a125018 error:0 in ixy-pcap[401000]",
    "out of memory": "Out of memory: Killed process 233 (java) total-vm:6944256kB, anon-rss:1800000kB",
    "hung task": "INFO: task fwd:160 blocked for more than 120 seconds.",
    "stall": "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "memory error": "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: b200000000070f0f",
    "file system": "EXT4-fs error (device vda): ext4_lookup:1855: inode #2: comm fwd: deleted inode",
}


@pytest.mark.parametrize("kind", FIRST)
def test_each_kind_is_known(kind):
    (found,) = events(f"[    1.000000] {FIRST[kind]}\n")
    assert (found.kind, found.lines[0]) == (kind, FIRST[kind])


def test_every_kind_of_event_is_tried():
    from pytest_ixy.crash.kernel import KINDS

    assert set(FIRST) == {kind for kind, _ in KINDS}


def test_the_times_and_the_levels_that_kernels_write():
    lines = [
        f"[   16.445033] {SEGFAULT}",
        f"<6>[   16.445033] {SEGFAULT}",
        f"[   16.445033][  T160] {SEGFAULT}",
    ]
    assert {events(line)[0].process for line in lines} == {"fwd"}
    assert len(events("\n".join(lines))) == 1


def test_hostile_logs_are_bounded():
    assert len(events("".join(f"a{number}[1]: segfault at \n" for number in range(1000)))) == MOST
    (endless,) = events("BUG: a\n" + "x\n" * 10_000)
    assert len(endless.lines) == LINES
    assert events("[1.1] " * 100_000) == []


def test_a_bundle_without_consoles(tmp_path):
    nodes = tuple(node.model_copy(update={"before": None, "after": None}) for node in make_nodes(1, 1))
    (finding,) = judge(make_bundle(tmp_path, nodes=nodes), ["console"])
    assert finding.title == "not judged: no console is on record"


def test_a_real_panic_is_one_event_with_who_caused_it():
    (found,) = events((CRASHES / "panic.txt").read_text())
    assert (found.kind, found.process) == ("panic", "bash")
    assert found.lines[0] == "Kernel panic - not syncing: sysrq triggered crash"
    assert found.lines[-1].startswith("Kernel Offset: ")
