"""The reference plays each role beside the example's programs, in real machines."""

from __future__ import annotations

import pytest

from conftest import ALL, PROGRAMS

PACKETS = 20_000


@pytest.mark.parametrize("role", PROGRAMS)
def test_the_reference_in_place_of_a_role(role, runner, target, config):
    folder = target()
    toml = folder / "ixy-ci.toml"
    lines = [
        line
        for line in toml.read_text().splitlines()
        if not line.startswith((f'{role} = "./', f"{role} = '^"))
    ]
    toml.write_text("\n".join(lines) + "\n")
    told = f"--ixy-role={role}=reference"
    result = runner.run(folder, f"--ixy-packets={PACKETS}", f"--ixy-config={config}", told)
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL - {f"build-{role}"}
    assert told in result.output
    assert "bash ./" in (result.bundle / "manifest.json").read_text()


def test_a_fault_is_seen_by_the_reference_too(runner, target, config):
    folder = target(fwd="--duplicate-every 100 --drop-every 30")
    told = ["--ixy-role=pktgen=reference", "--ixy-role=pcap=reference"]
    result = runner.run(folder, f"--ixy-packets={PACKETS}", f"--ixy-config={config}", *told)
    assert result.having("failure") == {"capture-duplicates"}, result.output
