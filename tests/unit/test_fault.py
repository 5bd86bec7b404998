"""The one line that names who is at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundles import make_manifest, make_run

from pytest_ixy.bundle import Bundle, Exit
from pytest_ixy.report.fault import fault
from pytest_ixy.report.subjects import Row, Subject
from pytest_ixy.rules import Evidence
from pytest_ixy.rules.ending import judge_exits

FINE = {"pktgen": [], "fwd": [], "fwd-back": [], "pcap": []}


def subject(tried, *, failed=True):
    made = Subject("ixy@0e00605")
    for part, failing in tried.items():
        made.alone[part] = {"part": part, "failing": failing, "bundle": f"/b/{part}"}
    if failed:
        made.rows["id"] = Row("size", "failed", "", {}, "", None, None)
    return made


BOTH = ["size", "payload"]
ONE, TWO = "fwd passes", "/b/pktgen, /b/pcap"
PASS = "pktgen and pcap pass"
BACK = "with its NICs the other way round"


def ended(*, failed=True, **roles):
    """The row of `exits` where those roles went that way and all others well."""
    runs = {role: make_run(role, **roles.get(role, {})) for role in ("pcap", "fwd", "pktgen")}
    found = judge_exits(Evidence(Bundle(Path(), make_manifest(roles=runs))))
    return Row("exits", "failed" if failed else "passed", found.title, found.numbers, "", None, None)


CRASH = {"exit": Exit(status=139, signal="SIGSEGV"), "ended_itself": True, "stopped_by": None}
STARVED = {"ended_itself": False, "stopped_by": "INT"}


@pytest.mark.parametrize(
    ("roles", "begin"),
    [
        (
            {"fwd": CRASH, "pcap": STARVED},
            "fwd (pcap did not end by itself and was stopped (INT); fwd was ended by ",
        ),
        ({"fwd": CRASH, "pktgen": CRASH}, "fwd, pktgen (fwd was ended by SIGSEGV"),
        ({"pcap": {"exit": Exit(status=3)}}, "pcap (pcap ended with status 3"),
        ({"fwd": {"stopped_by": "KILL"}}, "fwd (fwd did not end when told to stop"),
        ({"pcap": STARVED}, ""),
        ({"fwd": {"exit": Exit(status=None)}}, ""),
        ({}, ""),
    ],
)
def test_where_nothing_was_tried_who_broke_is_named(roles, begin):
    about = subject({})
    about.rows["exits"] = ended(failed=bool(roles), **roles)
    assert fault(about).startswith(begin)
    assert bool(fault(about)) is bool(begin)


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (
            FINE | {"fwd": BOTH, "fwd-back": BOTH},
            f"fwd (beside references it fails size, payload; {PASS}): /b/fwd",
        ),
        (
            FINE | {"fwd": ["size"]},
            f"fwd (beside references it fails size, but nothing {BACK}; {PASS}): /b/fwd",
        ),
        ({"fwd": ["size"], "pcap": []}, "fwd (beside references it fails size; pcap passes): /b/fwd"),
        (
            FINE | {"fwd-back": ["count"]},
            f"fwd (beside references it fails count {BACK}; {PASS}): /b/fwd-back",
        ),
        (
            FINE | {"fwd": ["size"], "fwd-back": ["count"]},
            f"fwd (beside references it fails size, and count {BACK}; {PASS}): /b/fwd",
        ),
        (
            FINE | {"pktgen": ["sent"], "pcap": ["order"]},
            f"pktgen and pcap (beside references pktgen fails sent; pcap fails order; {ONE}): {TWO}",
        ),
        ({"pcap": ["count"]}, "pcap (beside references it fails count): /b/pcap"),
        ({"references": ["order"]}, "the lab (references alone fail order): /b/references"),
        (
            {"pktgen": BOTH, "references": BOTH},
            "pktgen (beside references it fails size, payload): /b/pktgen",
        ),
        (FINE, "none alone: pktgen, fwd and pcap pass beside references, so they fail only together"),
    ],
)
def test_words(tried, words):
    assert fault(subject(tried)) == words


def test_where_nothing_failed_nothing_is_said_to_fail():
    assert fault(subject(FINE, failed=False)) == "none: pktgen, fwd and pcap pass beside references"


def test_a_bundle_below_the_working_directory_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = subject({})
    made.alone["fwd"] = {
        "part": "fwd",
        "failing": ["size"],
        "bundle": str(tmp_path / "ixy-artifacts" / "one"),
    }
    assert fault(made).endswith(": ixy-artifacts/one")


def test_it_is_one_line_whatever_the_rules_are_called():
    made = subject({"fwd": ["a\nb\x1b[31m", "c" * 5000]})
    assert "\n" not in fault(made)
    assert "\x1b" not in fault(made)
    assert len(fault(made)) <= 1000
