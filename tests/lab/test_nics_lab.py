"""NIC models in real machines: stock tools on each, and the example's driver on a modern virtio."""

from __future__ import annotations

import shutil

import pytest

from conftest import ALL
from pytest_ixy.bundle import load
from pytest_ixy.nics import MODELS
from pytest_ixy.providers.qemu import nics
from pytest_ixy.reference import SCRIPTS

STOCK = """
fwd = "exec bash ./fwd.sh"
[roles]
pktgen = "reference"
pcap = "reference"
[ready]
fwd = "^ready: "
"""


def devices(result):
    """What the test NICs were, as the nodes saw them; a trial may have had to be repeated."""
    first = min((result.folder / "ixy-artifacts").iterdir())
    seen = [one for node in load(first).manifest.nodes for one in node.before.devices]
    return {f"{one.vendor}:{one.device} {one.driver}" for one in seen}


@pytest.fixture
def stock(tmp_path):
    """A target whose fwd is the reference's, so that every scenario can be asked of any NIC."""
    folder = tmp_path / "stock"
    folder.mkdir()
    for name in ("nic.sh", "fwd.sh"):
        shutil.copy(SCRIPTS / name, folder)
    (folder / "ixy-ci.toml").write_text(STOCK)
    return folder


@pytest.mark.parametrize("model", [model for model in nics.DEVICES if not model.startswith("virtio")])
def test_packets_and_links_come_and_go_on_every_model(model, runner, stock, tmp_path):
    if nics.DEVICES[model].driver not in nics.offered():
        pytest.skip(f"this QEMU has no {model}")
    config = tmp_path / "config.toml"
    config.write_text('[test.pci_addresses]\nfwd_dst = "0000:00:08.0"\n')
    told = [
        f"--ixy-config={config}",
        "--ixy-scenario=lifecycle",
        "--ixy-packets=20000",
        f"--ixy-nic={model}",
        "-k",
        "link",
    ]
    result = runner.run(stock, *told)
    assert result.outcomes == {"lifecycle-link": "passed"}, result.output
    assert f"~{model}-link]" in result.output
    assert devices(result) == {f"{MODELS[model].ids[0]} {nics.DEVICES[model].module}"}


def test_the_example_drives_a_virtio_that_is_modern_only(runner, target):
    result = runner.run(target(), "--ixy-nic=virtio-modern", "--ixy-packets=20000")
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL
    assert devices(result) == {"0x1af4:0x1041 virtio-pci"}
