"""Packets per second by the capture, the networks and the roles' own words, side by side."""

from __future__ import annotations

import json

import pytest
import report_bundles
from bundles import make_bundle
from test_rules_placement import nth, stored
from ways import Trial

from pytest_ixy import rates
from pytest_ixy.report import junit, summary
from pytest_ixy.report.rates import in_words, table
from pytest_ixy.report.subjects import Subject, open_trial
from pytest_ixy.spoken import Said, Spoken, of_line, spoken

PRINTED = {
    "C": ("[0000:00:06.0] RX: 12 Mbit/s 0.02 Mpps", [("[0000:00:06.0]", "RX", 20_000, 5000)]),
    "C without a device": ("[???] TX: 0 Mbit/s 0.00 Mpps", [("[???]", "TX", 0, 5000)]),
    "C#": ("0000:00:06.0 TX: 14 Mbit/s 0.0213 Mpps", [("0000:00:06.0", "TX", 21_300, 50)]),
    "Java": ("0000:00:06.0 TX: 0.0213 Mpps | 14.3 Mbit/s", [("0000:00:06.0", "TX", 21_300, 50)]),
    "JavaScript": ("[0000:00:06.0] RX: 1.5 Mbits/s 0.0025 Mpps", [("[0000:00:06.0]", "RX", 2500, 50)]),
    "Python": ("[0000:00:06.0] RX: 1.50  Mbit/s 0.02  Mpps", [("[0000:00:06.0]", "RX", 20_000, 5000)]),
    "Swift": ("[0000:00:06.0] TX: 1.500000 Mbit/s 0.01 Mpps", [("[0000:00:06.0]", "TX", 10_000, 5000)]),
    "Haskell": (
        "Driver 1 -> RX: 1.9024537e-5Mpps | TX: 0.5Mpps",
        [("Driver 1 ->", "RX", 19.024537, 5e-7), ("Driver 1 ->", "TX", 500_000, 50_000)],
    ),
    "the example": ("forwarded 23014 packets, 20910 packets/s", [("", "TX", 20_910, 0.5)]),
    "totals": ("[0000:00:06.0] RX: 600 bytes 10 packets", []),
    "an average": ("[0000:00:06.0] Average one way performance: 0.5 Mpps", []),
    "not a number": ("[x] RX: NaN Mbit/s NaN Mpps", []),
    "endless": ("[x] RX: Infinity Mpps TX: -inf Mpps", []),
    "negative": ("[x] RX: -3.5 Mpps", []),
    "a decimal comma": ("[x] RX: 0,02 Mpps", []),
    "absurd": ("[x] RX: 99999999 Mpps", []),
    "more absurd": ("[x] RX: 1e99 Mpps", []),
    "an endless number": (f"[x] RX: {'9' * 200} Mpps", []),
    "another unit": ("[x] RX: 5 Mppsx, TX: 7 Gpps", []),
    "too far": (f"[{'x' * 300}] RX: 5 Mpps", []),
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_line_is_read(name):
    line, wanted = PRINTED[name]
    found = [(said.device, said.direction, said.rate, said.step) for said in of_line(line)]
    assert found == [pytest.approx(one) for one in wanted] if wanted else found == []


def test_hostile_lines_take_no_time():
    for line in ("RX:" * 100_000, "[" * 10**6, "1." * 10**6 + " Mpps", "RX: " + "1e1" * 10**6 + "Mpps"):
        assert isinstance(list(of_line(line)), list)


def test_the_busiest_device_and_the_direction_of_the_role_count():
    text = "\n".join(
        f"[{device}] {way}: 1 Mbit/s {rate} Mpps"
        for device, way, rate in (
            ("a", "RX", "0.02"),
            ("a", "TX", "0.00"),
            ("b", "RX", "0.00"),
            ("b", "TX", "0.01"),
        )
        for _ in range(3)
    )
    assert spoken(text, "fwd") == Spoken(20_000, 5000, 3)
    assert spoken(text, "pktgen") == Spoken(10_000, 5000, 3)


def test_seconds_beside_the_traffic_do_not_count():
    text = "\n".join(
        f"sent 1 packets, {rate} packets/s" for rate in (0, 2035, 20_000, 21_000, 22_000, 3656, 0)
    )
    assert spoken(text, "pktgen") == Spoken(21_000, 0.5, 3)


def test_a_role_that_says_nothing_has_no_rate():
    assert spoken("", "fwd") is None
    assert spoken("ready\nsent 0 packets, 0 packets/s", "pktgen") is None


def test_what_is_said_is_bounded():
    assert spoken("\n" * 100_001 + "sent 1 packets, 5 packets/s", "pktgen") is None
    assert Said("", "RX", 1, 1).rate == 1


@pytest.fixture
def bundle(tmp_path):
    made = stored(tmp_path, Trial(wanted=12_000, swallowed=nth(5)))
    (made.path / "roles" / "fwd.log").write_text("[a] RX: 17 Mbit/s 0.03 Mpps\n" * 3)
    return made


def test_three_witnesses_side_by_side(bundle):
    pktgen, fwd, pcap = rates.rates(bundle, 12_000, 0.6)
    assert pktgen.network == pytest.approx(25_000)
    assert fwd.network == pytest.approx(20_000, rel=0.01)
    assert fwd.said == Spoken(30_000, 5000, 3)
    assert pcap.capture == pytest.approx(20_000, rel=0.01)
    assert pcap.network == pytest.approx(20_000, rel=0.01)
    assert pktgen.capture is pktgen.said is None


def test_they_are_in_the_bundle_and_in_every_report(bundle):
    rates.leave(bundle)
    stored = json.loads((bundle.path / rates.FILE).read_text())
    assert stored["fwd"]["said"] == 30_000
    trial = open_trial(bundle.path)
    shown = table(trial.rates)
    assert "25,000" in shown
    assert "30,000 ± 5,000" in shown
    assert ("rate.fwd.said", "30000.0") in list(junit.properties(Subject("t"), trial))
    assert "pktgen 25,000/s" in in_words(trial.rates)
    assert "rates: pktgen 25,000/s" in summary.section(Subject("t"), [trial])


def test_a_bundle_of_before_has_what_its_capture_tells(tmp_path):
    made = report_bundles.make(tmp_path / "b")
    (rate,) = open_trial(made.path).rates
    assert rate.role == "pcap"
    assert rate.as_dict() == {"capture": 1000.0}
    assert table(()) == in_words(()) == ""


def test_nothing_is_written_where_nothing_is_known(tmp_path):
    bare = make_bundle(tmp_path, [], roles={})
    rates.leave(bare)
    assert not (bare.path / rates.FILE).exists()
