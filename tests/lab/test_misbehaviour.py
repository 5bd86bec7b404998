"""Each misbehaviour of the example target fails exactly the tests that it should, in real machines."""

from __future__ import annotations

import pytest

from conftest import ALL

PACKETS = 20_000

STARVED = {"role-pcap", "capture-complete", "capture-count", "capture-sequence-bounds", "capture-exits"}
"""What fails when packets stop coming: pcap does not end, and too few have come."""

CASES = {
    "sound": ({}, set()),
    "drop": (
        {"pktgen": "--drop-every 2", "fwd": "--drop-every 2"},
        {"capture-sequence-bounds"},
    ),
    # of N packets some are copies, so numbers must be missing too, or the highest would be below N - 1
    "duplicate": ({"fwd": "--duplicate-every 100 --drop-every 30"}, {"capture-duplicates"}),
    "corrupt": ({"fwd": "--corrupt-byte 42:70"}, {"capture-structure"}),
    "payload": ({"fwd": "--corrupt-byte 50:70"}, {"capture-payload"}),
    "reorder": ({"fwd": "--reorder-every 70"}, {"capture-order"}),
    "resize": ({"fwd": "--resize 64:70"}, {"capture-size"}),
    "stop": ({"pktgen": "--stop-after 5000"}, STARVED | {"capture-sent"}),
    "crash": ({"fwd": "--crash-after 5000"}, STARVED | {"role-fwd"}),
    "hang": ({"fwd": "--hang-after 5000"}, STARVED),
    "exit": ({"fwd": "--exit-after 5000:3"}, STARVED | {"role-fwd"}),
    "deaf": ({"pktgen": "--ignore-signals"}, {"role-pktgen", "capture-exits"}),
}

WORDS = {
    "drop": ("capture-sequence-bounds", "highest sequence number"),
    "duplicate": ("capture-duplicates", "carry a sequence number seen before"),
    "corrupt": ("capture-structure", "^^"),
    "payload": ("capture-payload", "^^"),
    "reorder": ("capture-order", "out of order"),
    "resize": ("capture-size", "64"),
    "crash": ("role-fwd", "SIGSEGV"),
    "hang": ("capture-complete", "pcap"),
    "exit": ("role-fwd", "status 3"),
    "deaf": ("role-pktgen", "had to be killed"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_fails_exactly_the_tests_that_it_should(case, runner, target, config):
    switches, failing = CASES[case]
    result = runner.run(target(**switches), f"--ixy-packets={PACKETS}", f"--ixy-config={config}")
    assert result.having("failure") == failing, result.output
    assert result.having("passed") == ALL - failing
    assert result.returncode == (1 if failing else 0)
    if case in WORDS:
        test, words = WORDS[case]
        assert words in result.texts[test]


def test_a_failed_build_is_named_and_the_rest_is_skipped_with_that_cause(runner, target):
    result = runner.run(target(build=["true", "echo the reason; exit 7"]))
    assert result.having("failure") == {"build-pktgen", "build-fwd", "build-pcap"}
    assert result.having("skipped") == {name for name in ALL if not name.startswith("build")}
    assert "the reason" in result.texts["build-fwd"]
    assert "ended with status 7" in result.texts["capture-count"]
    assert (result.bundle / "build" / "fwd.log").read_text().endswith("the reason\n")


def test_a_failed_build_is_an_error_when_no_build_test_is_selected(runner, target):
    result = runner.run(target(build=["false"]), "-k", "count or size")
    assert result.having("error") == {"capture-count"}
    assert result.having("skipped") == {"capture-size"}
    assert result.returncode == 1


def test_a_missing_program_is_called_missing(runner, target, config):
    folder = target()
    toml = folder / "ixy-ci.toml"
    toml.write_text(toml.read_text().replace("./fwd ", "./forwarder "))
    result = runner.run(folder, "--ixy-packets=1000", f"--ixy-config={config}")
    assert "role-fwd" in result.having("failure")
    assert "no such program" in result.texts["role-fwd"]
    assert result.outcomes["role-pktgen"] == "skipped"
