"""Real machines: how fast each role was, where packets were lost, and what changes in a longer trial."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

PACKETS = 20_000


def numbers_of(result, rule):
    """The numbers of a rule's finding in the bundle."""
    findings = json.loads((result.bundle / "findings.json").read_text())
    return next(finding["numbers"] for finding in findings if finding["rule"] == rule)


def properties(result):
    report = ET.parse(result.folder / "report.xml")
    return {found.get("name"): found.get("value") for found in report.iter("property")}


def test_each_role_has_a_rate_and_what_fwd_drops_is_lost_there(runner, target):
    result = runner.run(target(fwd="--drop-every 10"), f"--ixy-packets={PACKETS}")
    loss = numbers_of(result, "loss")
    assert "fwd" in loss["lost_at"], loss
    assert "pktgen" not in loss["lost_at"].replace("pktgen-fwd", ""), loss
    rates = json.loads((result.bundle / "rates.json").read_text())
    assert set(rates) == {"pktgen", "fwd", "pcap"}
    assert rates["pcap"]["capture"] > 0
    assert all(rates[role]["network"] > 0 for role in rates)
    # fwd passes nine of ten on; what its machine has no time for is dropped before it
    assert rates["fwd"]["network"] < rates["pktgen"]["network"]
    found = properties(result)
    assert {f"ixy.rate.{role}.network" for role in rates} <= set(found)
    assert "by the network&#x27;s counters" in (result.folder / "report.html").read_text()
    counters = json.loads((result.bundle / "counters.json").read_text())
    assert {"waited", "quiet"} <= set(counters["marks"])


LEAK = """
(s=x; while sleep 0.2; do s+=$(head -c 100000 /dev/zero | tr '\\0' x); done) &
exec ./fwd "$@"
"""


@pytest.fixture
def leaking(target):
    """The example, with a fwd that has more memory each second."""
    folder = target()
    (folder / "leak.sh").write_text(LEAK)
    toml = folder / "ixy-ci.toml"
    toml.write_text(toml.read_text().replace("./fwd ", "bash leak.sh "))
    return folder


def test_a_leak_is_found_in_a_soak_and_again_in_its_replay(runner, leaking):
    result = runner.run(leaking, "--ixy-scenario=soak", "--ixy-minutes=0.4")
    steady = {f"soak-memory-{role}" for role in ("pktgen", "pcap")}
    alive = {f"soak-alive-{role}" for role in ("pktgen", "fwd", "pcap")}
    assert "soak-memory-fwd" in result.having("failure"), result.output
    assert steady | alive <= result.having("passed")
    assert "the memory of fwd grew steadily" in result.texts["soak-memory-fwd"]
    assert not (result.bundle / "capture.pcap").exists()
    assert "Over time" in (result.folder / "report.html").read_text()
    command = [f"--ixy-replay={result.bundle}", "--ixy-scenario=soak"]
    again = runner.run(None, *command)
    assert again.outcomes == result.outcomes, again.output
