"""The reference plays a role beside the example's programs, in real machines."""

from __future__ import annotations

from conftest import ALL

PACKETS = 20_000


def test_the_reference_in_place_of_pcap(runner, target, config):
    folder = target()
    toml = folder / "ixy-ci.toml"
    lines = toml.read_text().splitlines(keepends=True)
    toml.write_text("".join(line for line in lines if not line.startswith('pcap = "./')))
    told = "--ixy-role=pcap=reference"
    result = runner.run(folder, f"--ixy-packets={PACKETS}", f"--ixy-config={config}", told)
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL - {"build-pcap"}
    assert told in result.output
    assert "bash ./" in (result.bundle / "manifest.json").read_text()
