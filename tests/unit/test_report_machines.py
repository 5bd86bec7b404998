"""The machines before and after on the page, and what is known of a crash."""

from __future__ import annotations

from bundles import make_bundle, make_manifest, make_nodes, make_run, make_state

from pytest_ixy.crash.record import Crash
from pytest_ixy.nodestate import HugePages, Living
from pytest_ixy.report import logs, machines

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def after(**changes):
    """A manifest where fwd's node is otherwise after the trial."""
    nodes = {node.name: node for node in make_nodes(104, 101)}
    fwd = nodes["fwd"]
    nodes["fwd"] = fwd.model_copy(update={"after": make_state(*fwd.nics, **changes)})
    return make_manifest(nodes=tuple(nodes.values()))


def rows(table):
    return [row.split("</td><td>") for row in table.replace("<tr><td>", "\n").split("\n")[1:]]


def test_each_machine_is_told_before_and_after():
    found = rows(machines.table(after(huge_pages=(HugePages(size=2048, total=512, free=500),))))
    assert ["fwd", "huge pages of 2,048 KiB", "512 of 512 free", "500 of 512 free</td></tr>"] in found
    assert ["pcap", "memory available", "1,024 MiB", "1,024 MiB</td></tr>"] in found


def test_what_came_is_told_and_a_name_cannot_act():
    processes = tuple(Living(pid=pid, started=1, name=HOSTILE) for pid in range(9))
    table = machines.table(after(processes=processes))
    assert "<script" not in table
    assert "\x1b" not in table
    (row,) = [row for row in rows(table) if row[1] == "processes"]
    assert row[2] == "none"
    assert "and 4 more" in row[3]


def test_a_device_that_is_gone():
    state = make_state(*make_nodes(1, 1)[0].nics)
    gone = (state.devices[0].model_copy(update={"present": False}),)
    assert ["fwd", "0000:00:06.0", "not there</td></tr>"] in [
        [row[0], row[1], row[3]] for row in rows(machines.table(after(devices=gone)))
    ]


def test_nothing_is_shown_where_nobody_has_looked():
    nodes = tuple(node.model_copy(update={"before": None, "after": None}) for node in make_nodes(1, 1))
    assert machines.table(make_manifest(nodes=nodes)) == ""


def test_a_crash_and_a_kernels_log_have_folds_of_their_own(tmp_path):
    crash = Crash(what="SIGSEGV", fingerprint="0123456789ab", text=HOSTILE, file="roles/fwd.crash.txt")
    nodes = tuple(
        node.model_copy(update={"kernel": f"consoles/{node.name}.kernel"}) for node in make_nodes(1, 1)
    )
    bundle = make_bundle(tmp_path, roles={"fwd": make_run("fwd", crash=crash)}, nodes=nodes)
    (bundle.path / "consoles").mkdir()
    (bundle.path / "consoles" / "fwd.kernel").write_text("fwd[160]: segfault\n")
    page = logs.folded(bundle, tmp_path)
    assert "fwd: what is known of its crash" in page
    assert "<script" not in page
    assert "fwd: what its kernel logged during the trial" in page
    assert "fwd[160]: segfault" in page
