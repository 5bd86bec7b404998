"""What changed in a long trial: bundles made of known courses, with noise."""

from __future__ import annotations

import random

import pytest
from bundles import make_bundle, make_run
from report_bundles import make
from ways import as_nodes, as_series

from pytest_ixy import series
from pytest_ixy.bundle import CaptureRecord, CourseRecord, Exit, load, write
from pytest_ixy.memory import read
from pytest_ixy.report import html, overtime
from pytest_ixy.report.command import replay, rerun
from pytest_ixy.report.subjects import Subject, open_trial
from pytest_ixy.series import Series
from pytest_ixy.soak import QUESTIONS, judge
from pytest_ixy.way import Flow, Way

BEGIN = 3.0
"""Seconds after the trial's start at which traffic begins."""


def flows(seconds=300, rate=lambda _at: 20_000, swallowed=lambda _at: 0.0, refused=lambda _at: 0.0):
    """Samples twice a second: a rate, and what shares fwd and the first network lose, at each moment."""
    chance, found, now = random.Random(3), [Flow(0, 0, 0, 0, 0, 0, 0)], 0.0
    while now < seconds:
        last, now = found[-1], now + 0.5
        sent = round(rate(now) / 2 * chance.uniform(0.7, 1.3) * (0.3 if chance.random() < 0.04 else 1))
        lost = round(sent * refused(now))
        came = sent - lost
        passed = came - round(came * swallowed(now))
        found.append(
            Flow(
                BEGIN + now, last.sent + sent, last.entered + came, last.refused + lost,
                last.left + passed, last.arrived + passed, last.refused_last,
            )
        )  # fmt: skip
    return found


def bundle(tmp_path, moments=None, memory=None, **runs):
    """A bundle of such a trial."""
    moments = moments or flows()
    end = moments[-1]
    roles = {
        role: make_run(
            role, **{"started": BEGIN, "ended_itself": False, "stopped_by": "INT", **runs.get(role, {})}
        )
        for role in ("pcap", "fwd", "pktgen")
    }
    made = make_bundle(
        tmp_path, packets=2**31 - 1, nodes=as_nodes(end), roles=roles, scenario="soak",
        capture=CaptureRecord(file=None), course=CourseRecord(words="it ends", seconds=end.seconds - BEGIN),
    )  # fmt: skip
    way = Way(tuple(moments), end)
    files = series.write(made.path, "counters", as_series(way, {"waited": end.seconds}))
    files |= series.write(made.path, "memory", memory or in_memory())
    write(made.path, made.manifest.model_copy(update={"series": files}))
    return load(made.path)


def in_memory(seconds=300, **kib):
    """Once a second; by role what it has at a moment, else 400 KiB that hardly change."""
    chance = random.Random(4)
    names = [f"{role}/{kind}" for role in ("pktgen", "fwd", "pcap") for kind in ("rss", "huge")]
    shapes = {"pktgen": None, "fwd": None, "pcap": None, **kib}
    rows = []
    for at in range(seconds):
        row = [BEGIN + at]
        for shape in shapes.values():
            row += [shape(at) if shape else 400.0 + chance.choice((-8, 0, 0, 0, 8)), 4096.0]
        rows.append(tuple(row))
    return Series(names=tuple(names), rows=tuple(rows))


def failing(made):
    return {question for question in QUESTIONS if judge(made, question).failed}


def test_a_sound_target_passes_all(tmp_path):
    made = bundle(tmp_path)
    findings = [judge(made, question) for question in QUESTIONS]
    assert {finding.outcome for finding in findings} == {"passed"}
    assert "20," in findings[0].title or "19," in findings[0].title


def test_other_work_of_this_machine_is_no_fault_of_the_target(tmp_path):
    """The rate falls by a third for minutes, and the networks drop a few percent."""
    moments = flows(
        rate=lambda at: 20_000 if at < 100 else 14_000, refused=lambda at: 0.0 if at < 100 else 0.06
    )
    assert failing(bundle(tmp_path, moments)) == set()


def test_a_rate_that_falls_for_good_is_dated(tmp_path):
    made = bundle(tmp_path, flows(rate=lambda at: 20_000 if at < 200 else 3000))
    assert failing(made) == {"rate"}
    finding = judge(made, "rate")
    assert finding.title.startswith(("from 00:03:2", "from 00:03:1"))
    assert finding.numbers["began"] == pytest.approx(200, abs=5)
    assert "sent by pktgen: 19,629, 3,013" in finding.message


def test_traffic_that_ends_shortly_before_the_end_is_seen(tmp_path):
    made = bundle(tmp_path, flows(rate=lambda at: 20_000 if at < 285 else 0))
    assert "rate" in failing(made)


def test_a_forwarder_that_begins_to_swallow_is_dated(tmp_path):
    made = bundle(tmp_path, flows(swallowed=lambda at: 0.001 if at < 120 else 0.1))
    assert failing(made) == {"loss"}
    finding = judge(made, "loss")
    assert "lost in fwd" in finding.title
    assert finding.numbers["began"] == pytest.approx(120, abs=5)


def test_a_forwarder_that_takes_no_more_is_dated(tmp_path):
    made = bundle(tmp_path, flows(refused=lambda at: 0.01 if at < 90 else 0.9))
    assert failing(made) == {"rate", "loss"}
    assert judge(made, "loss").numbers["began"] == pytest.approx(90, abs=5)


def test_too_much_loss_from_the_start_on_fails(tmp_path):
    made = bundle(tmp_path, flows(refused=lambda _at: 0.7))
    assert failing(made) == {"loss"}
    assert "from the start on" in judge(made, "loss").title


@pytest.mark.parametrize("role", ["pktgen", "fwd", "pcap"])
def test_memory_that_grows_is_dated(tmp_path, role):
    """64 bytes for each of 25 packets a second."""
    made = bundle(tmp_path, memory=in_memory(**{role: lambda at: 400 + 1.6 * at}))
    assert failing(made) == {f"memory-{role}"}
    assert "grew steadily" in judge(made, f"memory-{role}").title


def test_memory_that_a_language_takes_and_keeps_is_no_leak(tmp_path):
    heap = in_memory(pktgen=lambda at: 50_000 + 40_000 * min(1, at / 20) + 3000 * (at % 7))
    made = bundle(tmp_path, memory=heap)
    assert failing(made) == set()


def test_a_role_that_ends_by_itself_is_named(tmp_path):
    gone = {"ended_itself": True, "exit": Exit(status=139, signal="SIGSEGV"), "ended": BEGIN + 77}
    made = bundle(tmp_path, fwd=gone)
    assert failing(made) == {"alive-fwd"}
    assert judge(made, "alive-fwd").title == "fwd ended by itself at 00:01:17, with SIGSEGV"


def test_no_packet_at_all_fails(tmp_path):
    assert {"rate", "loss"} <= failing(bundle(tmp_path, flows(rate=lambda _at: 0)))


def test_what_cannot_be_told_is_skipped(tmp_path):
    short = bundle(tmp_path, flows(seconds=5), memory=in_memory(seconds=4))
    assert {judge(short, name).outcome for name in QUESTIONS if "alive" not in name} == {"skipped"}
    (tmp_path / "old").mkdir()
    old = make_bundle(tmp_path / "old")
    assert {judge(old, name).outcome for name in ("rate", "loss", "memory-fwd")} == {"skipped"}


def test_a_loops_latest_complete_answer_counts():
    text = "rss 1 huge 2\nsize 5\nrss 3 huge 4\nsize 6\nrss 9"
    assert read("fwd", text) == {"fwd/rss": 3, "fwd/huge": 4, "fwd/written": 6}
    assert read("fwd", "") == read("fwd", "nonsense\n" * 1000) == {}


def test_the_picture_shows_rate_loss_and_memory(tmp_path):
    made = bundle(tmp_path, flows(rate=lambda at: 20_000 if at < 200 else 3000))
    picture = overtime.draw(made)
    for words in ("packets/s", "lost", "memory", "sent by fwd", "pktgen"):
        assert words in picture
    assert len(picture) < 60_000
    page = html.section(1, Subject("t"), [open_trial(made.path)], tmp_path)
    assert "Over time" in page
    assert "the trial left no capture" not in page  # it was not to keep one
    assert "did not end by itself" not in page
    assert "--ixy-minutes=" in rerun(made.manifest)
    assert replay(made).endswith(" --ixy-scenario=soak")


def test_there_is_no_picture_where_nothing_was_counted(tmp_path):
    assert overtime.draw(make(tmp_path / "b")) == ""
