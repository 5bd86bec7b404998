"""What a role left on its node: `leaks`."""

from __future__ import annotations

import pytest
from bundles import make_bundle, make_nodes, make_state

from pytest_ixy.nodestate import HugePages, Living
from pytest_ixy.rules import judge

STRICT = {"leaks": {"severity": "fail"}}


def ask(tmp_path, rules=None, *, before=None, **changes):
    """The finding where fwd's node is otherwise afterwards."""
    nodes = {node.name: node for node in make_nodes(104, 101)}
    fwd = nodes["fwd"]
    changed = {
        "before": make_state(*fwd.nics, **(before or {})),
        "after": fwd.after.model_copy(update=changes),
    }
    nodes["fwd"] = fwd.model_copy(update=changed)
    return judge(make_bundle(tmp_path, nodes=tuple(nodes.values()), rules=rules or STRICT), ["leaks"])[0]


def devices(**changes):
    found = next(node.before.devices for node in make_nodes(1, 1) if node.name == "fwd")
    return (found[0], found[1].model_copy(update=changes))


UNBOUND = devices(driver="")
ASKING = {"leaks": {"severity": "fail", "max_devices": 0}}


def test_nothing_is_left(tmp_path):
    finding = ask(tmp_path)
    assert (finding.outcome, finding.title) == (
        "passed",
        "pcap, fwd, pktgen left nothing behind that must not stay",
    )


def test_huge_pages(tmp_path):
    pages = (HugePages(size=2048, total=512, free=500), HugePages(size=1 << 20, total=1, free=0))
    finding = ask(tmp_path, huge_pages=pages, files=("/mnt/huge/ixy-1-0", "/mnt/huge/a\x1b[2Jb"))
    assert (
        finding.title
        == "fwd left 12 huge pages of 2,048 KiB and 1 huge page of 1,048,576 KiB in use, in 2 files"
    )
    assert finding.numbers == {"kib": 12 * 2048 + (1 << 20), "files": 2, "devices": 0, "processes": 0}
    assert r"fwd: the file /mnt/huge/a\x1b[2Jb" in finding.message


def test_huge_pages_that_were_asked_for_more_of_are_not_used(tmp_path):
    before = {"huge_pages": (HugePages(size=2048, total=32, free=30),)}
    assert (
        ask(tmp_path, before=before, huge_pages=(HugePages(size=2048, total=512, free=510),)).outcome
        == "passed"
    )


def test_as_many_as_are_allowed(tmp_path):
    pages = (HugePages(size=2048, total=512, free=510),)
    for allowed, outcome in ((4095, "failed"), (4096, "passed")):
        rules = {"leaks": {"severity": "fail", "max_kib": allowed}}
        assert ask(tmp_path / str(allowed), rules, huge_pages=pages).outcome == outcome


def test_processes(tmp_path):
    old, new = Living(pid=9, started=1, name="cron"), Living(pid=77, started=5, name="fwd\n-daemon")
    renamed = old.model_copy(update={"name": "crond"})
    finding = ask(tmp_path, before={"processes": (old,)}, processes=(renamed, new))
    assert finding.title == r"fwd left 1 of its processes running (fwd\n-daemon)"


def test_a_process_that_only_has_the_number_of_another(tmp_path):
    old, new = (Living(pid=9, started=ticks, name="fwd") for ticks in (1, 2))
    assert ask(tmp_path, before={"processes": (old,)}, processes=(new,)).numbers["processes"] == 1


def test_where_not_all_processes_were_told_nobody_is_new(tmp_path):
    old = tuple(Living(pid=pid, started=1, name="many") for pid in range(250))
    new = (Living(pid=999, started=5, name="fwd"),)
    assert ask(tmp_path / "a", before={"processes": old}, processes=new).outcome == "passed"
    assert ask(tmp_path / "b", before={"processes": old[1:]}, processes=new).outcome == "failed"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (UNBOUND, "had driver virtio-pci and has no driver, and it may still write to memory by itself"),
        (devices(driver="", command=0), "had driver virtio-pci and has no driver"),
        (devices(driver="vfio-pci"), "had driver virtio-pci and has driver vfio-pci"),
    ],
)
def test_a_device_may_stay_without_its_driver_unless_somebody_minds(tmp_path, changed, words):
    lenient, strict = ask(tmp_path / "a", devices=changed), ask(tmp_path / "b", ASKING, devices=changed)
    assert (lenient.outcome, strict.outcome) == ("passed", "failed")
    assert strict.title == "fwd did not give 1 device back"
    line = f"fwd: the device 0000:00:07.0 {words}"
    assert line in lenient.message.splitlines()
    assert line in strict.message.splitlines()


def test_a_kernels_driver_sets_the_command_as_it_likes(tmp_path):
    assert ask(tmp_path, ASKING, devices=devices(command=0)).outcome == "passed"


def test_a_device_that_is_gone(tmp_path):
    gone = (devices()[0], devices()[1].model_copy(update={"present": False}))
    assert ask(tmp_path, devices=gone).title == "fwd made 0000:00:07.0 vanish"


def test_it_only_reports_by_default(tmp_path):
    pages = (HugePages(size=2048, total=512, free=510),)
    assert ask(tmp_path, {"order": {"severity": "fail"}}, huge_pages=pages).outcome == "reported"


def test_a_bundle_of_an_older_version_cannot_tell(tmp_path):
    nodes = tuple(node.model_copy(update={"before": None, "after": None}) for node in make_nodes(1, 1))
    (finding,) = judge(make_bundle(tmp_path, nodes=nodes), ["leaks"])
    assert finding.title == "not judged: nobody has looked at the nodes"
