"""Whether the nodes had what programs need: `preflight`."""

from __future__ import annotations

import pytest
from bundles import make_bundle, make_nodes, make_state

from pytest_ixy.nodestate import HugePages
from pytest_ixy.rules import judge


def ask(tmp_path, rules=None, **changes):
    """The finding where fwd's node was otherwise before."""
    nodes = {node.name: node for node in make_nodes(104, 101)}
    fwd = nodes["fwd"]
    nodes["fwd"] = fwd.model_copy(update={"before": make_state(*fwd.nics, **changes)})
    return judge(make_bundle(tmp_path, nodes=tuple(nodes.values()), rules=rules or {}), ["preflight"])[0]


def test_all_is_there(tmp_path):
    finding = ask(tmp_path)
    assert (finding.outcome, finding.title) == ("passed", "3 nodes had what programs need")
    assert finding.numbers == {"available_mib": 1024, "huge_pages": 512}
    line = "pktgen: 1,024 MiB available, 512 of 512 huge pages of 2,048 KiB free, 0000:00:06.0 driven by "
    assert f"{line}virtio-pci" in finding.message.splitlines()


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"available": 63 << 10}, "the node of fwd had 63 MiB of memory available"),
        (
            {"huge_pages": (HugePages(size=2048, total=512, free=0),)},
            "on the node of fwd none of 512 huge pages of 2,048 KiB was free",
        ),
    ],
)
def test_what_is_missing_is_reported(tmp_path, changes, title):
    finding = ask(tmp_path, **changes)
    assert (finding.outcome, finding.title) == ("reported", title)


@pytest.mark.parametrize("pages", [(), (HugePages(size=1 << 20, total=0, free=0),)])
def test_a_driver_may_do_without_huge_pages(tmp_path, pages):
    assert ask(tmp_path, huge_pages=pages).outcome == "passed"


def test_how_much_memory_is_for_the_user_to_say(tmp_path):
    rules = {"preflight": {"min_mib": 2000, "severity": "fail"}}
    assert ask(tmp_path, rules, available=1999 << 10).outcome == "failed"


def test_a_missing_device(tmp_path):
    state = make_state(*make_nodes(1, 1)[1].nics)
    gone = (state.devices[0].model_copy(update={"present": False}), state.devices[1])
    assert ask(tmp_path, devices=gone).title == "the node of fwd had no device at 0000:00:06.0"


@pytest.mark.parametrize(
    ("model", "title"),
    [
        (None, "3 nodes had what programs need"),
        ("virtio", "3 nodes had what programs need"),
        ("direct", "3 nodes had what programs need"),
        ("nonsense", "3 nodes had what programs need"),
        ("e1000", "the node of pcap had 0x1af4:0x1000 at 0000:00:06.0, which is no e1000"),
    ],
)
def test_a_nic_is_of_the_model_that_was_asked_for(model, title, tmp_path):
    def made(node):
        nics = tuple(nic.model_copy(update={"model": model}) for nic in node.nics)
        return node.model_copy(update={"nics": nics})

    (finding,) = judge(make_bundle(tmp_path, nodes=tuple(map(made, make_nodes(104, 101)))), ["preflight"])
    assert finding.title.partition("; ")[0] == title
