"""The registry, the findings as such, and what all rules say about captures that prove nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from bundles import make_bundle, make_manifest
from captures import HEAD, Packet, arp_frame, ixy_frame, packets, pcap, pcapng
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy import rules as registry
from pytest_ixy.bundle import CaptureRecord, write
from pytest_ixy.errors import UsageError
from pytest_ixy.rules import Finding, Rule, judge, pick, rules

NAMES = [
    "complete", "sent", "fresh", "count", "sequence-bounds", "duplicates", "size", "structure",
    "payload", "order", "loss", "checksum", "timestamps", "foreign", "exits",
    "console", "leaks", "preflight",
]  # fmt: skip
OF_PACKETS = [
    "fresh", "sequence-bounds", "duplicates", "size", "structure", "payload", "order", "loss", "checksum",
]  # fmt: skip
OF_FRAMES = ["timestamps", "foreign"]
OF_TRIAL = ["sent", "exits", "console", "leaks", "preflight"]


def outcomes(bundle) -> dict[str, str]:
    return {finding.rule: finding.outcome for finding in judge(bundle)}


def test_the_rules_stand_in_a_fixed_order():
    assert list(rules())[: len(NAMES)] == NAMES
    assert all(rule.name == name and len(rule.summary) > 40 for name, rule in rules().items())


def test_names_are_cheap():
    code = (
        "import sys; from pytest_ixy.rules import rules; rules();"
        "print([name for name in ('numpy', 'scapy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_showing_a_packet_leaves_scapy_its_routes():
    code = (
        "from pytest_ixy.rules.words import decoded; decoded(bytes(60));"
        "from scapy.arch import read_routes; from scapy.config import conf;"
        "print(conf.route_autoload, conf.route6_autoload, conf.route.routes == read_routes())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True True"


def test_a_good_trial_passes_every_rule(tmp_path):
    findings = judge(make_bundle(tmp_path))
    assert {finding.rule: finding.outcome for finding in findings} == dict.fromkeys(NAMES, "passed")
    assert all(finding.title and "\n" not in finding.title for finding in findings)


def test_a_good_trial_passes_as_pcapng_too(tmp_path):
    data = pcapng(packets(map(ixy_frame, range(100))), order=">")
    assert set(outcomes(make_bundle(tmp_path, data)).values()) == {"passed"}


def test_findings_are_plain_data(tmp_path):
    for finding in judge(make_bundle(tmp_path, map(ixy_frame, [0, 1, 1, 900]))):
        data = finding.as_dict()
        assert json.loads(json.dumps(data)) == data
        assert all(type(number) in {int, float, str} for number in finding.numbers.values())


def test_only_the_rules_asked_for_in_the_order_asked_for(tmp_path):
    names = ["duplicates", "complete"]
    assert [finding.rule for finding in judge(make_bundle(tmp_path), names)] == names


def test_an_unknown_rule_is_the_users_mistake():
    with pytest.raises(UsageError, match="no rule 'duplicate', did you mean 'duplicates'") as caught:
        pick(["count", "duplicate"])
    assert "sequence-bounds" in caught.value.hint


# captures that prove nothing


@pytest.mark.parametrize("data", [b"", pcap([])])
def test_nothing_captured(tmp_path, data):
    bundle = make_bundle(tmp_path, data)
    assert outcomes(bundle) == {
        **dict.fromkeys(["complete", "count"], "failed"),
        **dict.fromkeys([*OF_PACKETS, *OF_FRAMES], "skipped"),
        **dict.fromkeys(OF_TRIAL, "passed"),
    }
    assert judge(bundle, ["size"])[0].title == "not judged: nothing was captured"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"tcpdump: no such device\n", "not a capture: it starts with 74 63 70 64"),
        (pcap([])[:10], "ends inside its file header"),
        (pcap([], link=113), "link type of frame 1 is 113"),
    ],
)
def test_unreadable_captures(tmp_path, data, words):
    bundle = make_bundle(tmp_path, data)
    complete = judge(bundle, ["complete"])[0]
    assert complete.failed
    assert words in complete.title
    for finding in judge(bundle, ["count", *OF_PACKETS, *OF_FRAMES]):
        assert finding.outcome == "skipped"
        assert words in finding.title


def test_no_capture(tmp_path):
    bundle = make_bundle(tmp_path, capture=CaptureRecord(file=None))
    complete, count = judge(bundle, ["complete", "count"])
    assert (complete.outcome, complete.title) == ("failed", "there is no capture: pcap left none")
    assert (count.outcome, count.title) == ("skipped", "not judged: there is no capture: pcap left none")


def test_a_capture_that_got_lost_from_the_bundle(tmp_path):
    bundle = write(tmp_path / "bundle", make_manifest())
    assert judge(bundle, ["complete"])[0].title == "there is no capture: capture.pcap does not exist"


def test_frames_but_no_udp(tmp_path):
    bundle = make_bundle(tmp_path, [arp_frame()] * 3)
    found = outcomes(bundle)
    assert found["complete"] == "passed"
    assert found["count"] == "failed"
    assert [found[name] for name in OF_PACKETS] == ["skipped"] * len(OF_PACKETS)
    assert judge(bundle, ["size"])[0].title == "not judged: 3 frames captured, but no UDP packet"


def test_a_damaged_end_does_not_hide_what_stands_before(tmp_path):
    whole = pcap(packets(map(ixy_frame, [*range(50), 7])))
    bundle = make_bundle(tmp_path, whole + b"\xff" * 20)
    complete, count, duplicates = judge(bundle, ["complete", "count", "duplicates"])
    assert "damaged at frame 52" in complete.title
    assert count.title == "51 packets captured, 100 expected"
    assert duplicates.numbers["duplicates"] == 1
    assert "only what was readable is judged" in duplicates.message


# hostile content


def test_messages_hold_no_control_characters(tmp_path):
    hostile = b"\x1b]0;x\x07\x1b[2J\r\n\0\xe2\x80\xae<script>"
    frames = [ixy_frame(1)[:42] + hostile.ljust(18), ixy_frame(1), ixy_frame(1), hostile, hostile * 9]
    findings = judge(make_bundle(tmp_path, frames))
    assert any(finding.failed for finding in findings)
    for finding in findings:
        text = (finding.title + finding.message).replace("\n", "")
        assert text.isprintable()


def test_a_huge_hostile_frame_makes_no_huge_message(tmp_path):
    nested = ixy_frame(1)[:14] + bytes.fromhex("4500ffff000000004004000001010101ff010101") * 10_000
    finding = judge(make_bundle(tmp_path, [ixy_frame(0), nested, HEAD + b"x" * 200_000]), ["size"])[0]
    assert finding.failed
    assert len(finding.message) < 20_000
    structure = judge(make_bundle(tmp_path / "two", [nested[:14] + nested[15:]]), ["structure"])[0]
    assert structure.failed
    assert len(structure.message) < 100_000


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(st.binary(max_size=80), max_size=12), keep=st.integers(0, 60))
def test_any_frames_can_be_judged(tmp_path_factory, frames, keep):
    start = [ixy_frame(5)[:keep] + frame for frame in frames]
    bundle = make_bundle(tmp_path_factory.mktemp("any"), [Packet(frame) for frame in start])
    assert [finding.rule for finding in judge(bundle, NAMES)] == NAMES


# rules of other distributions


def always(evidence):
    return Finding("always", "reported", "always")


ALWAYS = Rule("always", "Always says the same.", always)
TAKEN = Rule("count", "Has the name of another rule.", always)
LOUD = Rule("LOUD ONE", "Has a name that cannot stand in a test id.", always)


@pytest.fixture
def entry_point(monkeypatch):
    """Pretend that another distribution offers a rule."""

    def offer(value: str) -> None:
        entry = EntryPoint("theirs", value, registry.GROUP)
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [entry] if group == registry.GROUP else []
        )
        registry._registry.cache_clear()

    yield offer
    registry._registry.cache_clear()


def test_a_rule_of_another_distribution_comes_last(tmp_path, entry_point):
    entry_point(f"{__name__}:ALWAYS")
    assert list(rules()) == [*NAMES, "always"]
    assert judge(make_bundle(tmp_path))[-1].title == "always"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_module_of_anybody:RULE", "No module named"),
        (f"{__name__}:NAMES", "is not a pytest_ixy.rules.Rule"),
        (f"{__name__}:TAKEN", "its name 'count' is taken"),
        (f"{__name__}:LOUD", "not lower-case words"),
    ],
)
def test_a_broken_rule_of_another_distribution_is_named(entry_point, value, words):
    entry_point(value)
    with pytest.raises(UsageError, match="'theirs' of an unknown distribution cannot be used") as caught:
        rules()
    assert words in caught.value.what
