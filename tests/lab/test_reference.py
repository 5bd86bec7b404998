"""The reference plays roles beside the example's programs, in real machines."""

from __future__ import annotations

import pytest

from conftest import ALL

TOO_MANY_FOR_MEMORY = 230_000
"""The reference reads so many frames from its disk while it sends."""


@pytest.mark.parametrize(
    ("roles", "packets"),
    [(("pcap",), 20_000), (("pktgen", "fwd"), TOO_MANY_FOR_MEMORY)],
    ids=["pcap", "pktgen-fwd"],
)
def test_the_reference_in_place_of_programs(roles, packets, runner, target, config):
    folder = target()
    toml = folder / "ixy-ci.toml"
    without = tuple(f'{role} = "./' for role in roles)
    toml.write_text(
        "".join(line for line in toml.read_text().splitlines(keepends=True) if not line.startswith(without))
    )
    told = [f"--ixy-role={role}=reference" for role in roles]
    result = runner.run(folder, f"--ixy-packets={packets}", f"--ixy-config={config}", *told)
    assert result.returncode == 0, result.output
    assert result.having("passed") == ALL - {f"build-{role}" for role in roles}
    assert all(one in result.output for one in told)
    assert (result.bundle / "manifest.json").read_text().count("bash ./") == len(roles)
