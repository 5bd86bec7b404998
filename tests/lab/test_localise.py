"""The program at fault is named, in real machines."""

from __future__ import annotations

import pytest

PACKETS = 20_000
ROLES = {"pktgen", "fwd", "pcap"}

FAULTS = {
    "pktgen": "--corrupt-byte 50:70",
    "fwd": "--duplicate-every 100",
    "pcap": "--truncate 50",
}


def localise(runner, folder):
    return runner.run(folder, "--ixy-scenario=localise", f"--ixy-packets={PACKETS}")


def test_a_sound_target_passes_beside_references(runner, target):
    result = localise(runner, target())
    assert result.returncode == 0, result.output
    assert result.having("passed") == {f"alone-{role}" for role in ROLES}


@pytest.mark.parametrize("role", FAULTS)
def test_the_role_at_fault_is_named(role, runner, target):
    result = localise(runner, target(**{role: FAULTS[role]}))
    assert result.having("failure") == {f"alone-{role}"}, result.output
    assert f"{role} is at fault: beside references it fails " in result.texts[f"alone-{role}"]
    assert result.having("passed") == {f"alone-{one}" for one in ROLES - {role}}
