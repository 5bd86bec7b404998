"""NIC models in real machines: references work on each, and the example's driver on a modern virtio."""

from __future__ import annotations

import pytest

from conftest import ALL
from pytest_ixy.bundle import load
from pytest_ixy.nics import MODELS
from pytest_ixy.providers.qemu import nics

PACKETS = 5_000
REFERENCES = f"""
from pytest_ixy.rules import judge

def test_references(ixy_trial):
    everyone = dict.fromkeys(("pktgen", "fwd", "pcap"), "reference")
    found = judge(ixy_trial(packets={PACKETS}, players=everyone))
    assert [f"{{one.rule}}: {{one.title}}" for one in found if one.failed or one.outcome == "reported"] == []
"""


def devices(result):
    """What the test NICs were, as the nodes saw them."""
    states = [node.before for node in load(result.bundle).manifest.nodes]
    return {
        f"{device.vendor}:{device.device} {device.driver}" for state in states for device in state.devices
    }


@pytest.mark.parametrize("model", [model for model in nics.DEVICES if not model.startswith("virtio")])
def test_references_work_on_every_model(model, runner, target):
    if nics.DEVICES[model].driver not in nics.offered():
        pytest.skip(f"this QEMU has no {model}")
    (runner.folder / "test_mine.py").write_text(REFERENCES)
    result = runner.run(target(build=()), f"--ixy-nic={model}", "test_mine.py")
    assert result.returncode == 0, result.output
    assert f"~{model}]" in result.output
    assert devices(result) == {f"{MODELS[model].ids[0]} {nics.DEVICES[model].module}"}


def test_the_example_drives_a_virtio_that_is_modern_only(runner, target):
    result = runner.run(target(), "--ixy-nic=virtio-modern", "--ixy-packets=20000")
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL
    assert devices(result) == {"0x1af4:0x1041 virtio-pci"}
