"""Where packets were lost, in made trials in which that is known, and in bundles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundles import make_bundle
from captures import ixy_frame
from ways import Trial, as_nodes, as_series, nth

from pytest_ixy import series
from pytest_ixy.bundle import load, write
from pytest_ixy.rules import judge
from pytest_ixy.rules.placement import UNTOLD, place, way_line, where_it_ends
from pytest_ixy.way import Flow, Way, steady

CASES = {
    "pktgen skips a tenth": (Trial(skips=nth(10)), "pktgen"),
    "pktgen skips half": (Trial(skips=nth(2)), "pktgen"),
    "fwd takes too little": (Trial(refused=nth(20)), "pktgen-fwd"),
    "fwd takes nothing for a while": (Trial(refused=lambda n: 3000 < n < 4000), "pktgen-fwd"),
    "fwd swallows a tenth": (Trial(swallowed=nth(10)), "fwd"),
    "fwd swallows one in 256": (Trial(swallowed=nth(256)), "fwd"),
    "fwd swallows a thousand at once": (Trial(swallowed=lambda n: 3000 < n < 4000), "fwd"),
    "pcap takes too little": (Trial(refused_last=nth(20)), "fwd-pcap"),
    "pcap does not read a third": (Trial(unread=nth(3)), "pcap"),
    "pcap does not read one in 256": (Trial(unread=nth(256)), "pktgen or pcap"),
    "two of them": (Trial(swallowed=nth(10), refused_last=lambda n: n % 10 == 4), "fwd and fwd-pcap"),
    "pktgen and fwd": (Trial(skips=nth(2), swallowed=lambda n: n % 4 == 0), "pktgen and fwd"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_place_is_found(case):
    trial, where = CASES[case]
    way, lost = trial.way()
    found = place(way, lost)
    assert found.at == where, found
    assert 0.8 * lost.missing < sum(found.lost.values()) <= lost.missing + 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("waiting", [1, 500])
def test_it_is_found_however_much_waits_in_rings(case, waiting):
    trial, where = CASES[case]
    way, lost = Trial(**{**vars(trial), "waiting": waiting}).way()
    assert place(way, lost).at == where


def test_frames_that_may_still_be_under_way_are_not_called_swallowed():
    """Nobody waited for the last of them, and at every moment some hundred were under way."""
    way, lost = Trial(swallowed=nth(256), waiting=300).way(quiet=False)
    assert place(way, lost).at == UNTOLD


def test_a_trial_too_short_to_be_counted_tells_nothing():
    way, lost = Trial(swallowed=nth(10), wanted=500).way()
    assert place(way, lost).at == UNTOLD
    assert place(way, lost).lines == ["where they were lost, the networks' counters cannot tell"]


def test_copies_do_not_hide_what_fwd_swallowed():
    """It sends some twice and some not at all, so that as many come out as went in."""
    flows, lost = Trial(swallowed=nth(30)).simulate()
    made = [replace(flow, left=flow.entered) for flow in flows]
    way = Way(tuple(made), made[-1], quiet=True)
    again = type(lost)(lost.frames, lost.span, lost.missing, repeated=lost.missing)
    assert place(way, again).at == "fwd"


STARVED = {
    "pktgen stops": (Flow(9, 5000, 5000, 0, 5000, 5000, 0), 5000, "never sent by pktgen: 15,000"),
    "pktgen never sends": (Flow(9, 0, 0, 0, 0, 0, 0), 0, "never sent by pktgen: 20,000"),
    "fwd hangs": (Flow(9, 60_000, 5256, 54_000, 5000, 5000, 0), 5000, "54,744 (fwd did not take them)"),
    "fwd is deaf": (Flow(9, 60_000, 60_000, 0, 0, 0, 0), 0, "lost in fwd: 60,000"),
    "the bridge refuses": (Flow(9, 60_000, 0, 0, 0, 0, 0), 0, "network between pktgen and fwd: 60,000"),
    "pcap hangs": (Flow(9, 60_000, 60_000, 0, 60_000, 5256, 54_744), 5000, "54,744 (pcap did not take them)"),
    "pcap is deaf": (Flow(9, 60_000, 60_000, 0, 60_000, 60_000, 0), 0, "delivered to pcap and not captured"),
}


@pytest.mark.parametrize("case", STARVED)
def test_where_packets_come_to_an_end(case):
    flow, frames, words = STARVED[case]
    (line,) = where_it_ends(Way((flow,), flow, quiet=True), frames, 20_000)
    assert words in line


def test_nothing_is_said_where_enough_came_or_the_rest_is_under_way():
    flow = Flow(9, 20_500, 20_500, 0, 20_100, 19_000, 0)
    assert where_it_ends(Way((flow,), flow, quiet=True), 20_000, 20_000) == []
    assert where_it_ends(Way((flow,), flow), 18_900, 20_000) == []


def test_the_way_in_one_line():
    flow = Flow(9, 60_000, 5256, 54_000, 5000, 5000, 0)
    assert way_line(Way((), flow), 4999) == (
        "pktgen sent 60,000 > fwd received 5,256 (54,000 dropped in front of it), sent 5,000 > "
        "pcap received 5,000, captured 4,999"
    )


def stored(tmp_path, trial, **changes):
    """A bundle of that trial, with a capture that has its numbers."""
    way, lost = trial.way()
    numbers = [n for n in range(lost.span) if not any(f(n) for f in losers(trial))][: lost.frames]
    last = way.flows[-1]
    made = make_bundle(tmp_path, [ixy_frame(n) for n in numbers], packets=trial.wanted, nodes=as_nodes(last))
    marks = {"waited": last.seconds, "quiet": last.seconds}
    files = series.write(made.path, "counters", as_series(way, marks))
    write(made.path, made.manifest.model_copy(update={"series": files, **changes}))
    return load(made.path)


def losers(trial):
    return (trial.skips, trial.refused, trial.swallowed, trial.refused_last, trial.unread)


SMALL = Trial(wanted=12_000)


def test_loss_says_where(tmp_path):
    (finding,) = judge(stored(tmp_path, Trial(wanted=12_000, swallowed=nth(10))), ["loss"])
    assert finding.numbers["lost_at"] == "fwd"
    assert finding.title.endswith("; lost at fwd")
    assert "  lost in fwd: about 1,3" in finding.message
    assert "in all: pktgen sent" in finding.message


def test_without_loss_there_is_no_place(tmp_path):
    (finding,) = judge(stored(tmp_path, SMALL), ["loss"])
    assert "lost_at" not in finding.numbers


def test_a_bundle_without_counters_over_time_is_judged_as_before(tmp_path):
    bundle = stored(tmp_path, Trial(wanted=12_000, swallowed=nth(10)), series={})
    (finding,) = judge(bundle, ["loss"])
    assert finding.outcome == "reported"
    assert "lost_at" not in finding.numbers


def test_counters_that_run_backwards_are_not_believed(tmp_path):
    bundle = stored(tmp_path, SMALL)
    path = bundle.path / "counters.json"
    found = series.read(bundle, "counters")
    back = (*found.rows[:-1], (found.rows[-1][0], *found.rows[0][1:]))
    path.write_text(found.model_copy(update={"rows": back}).model_dump_json())
    found = Way.of(bundle)
    assert found is not None
    assert found.flows == ()


def test_another_topology_has_no_way(tmp_path):
    bundle = stored(tmp_path, SMALL)
    assert Way.of(bundle) is not None
    nodes = tuple(node for node in bundle.manifest.nodes if node.name != "fwd")
    write(bundle.path, bundle.manifest.model_copy(update={"nodes": nodes}))
    assert Way.of(load(bundle.path)) is None


def test_the_steady_rate_leaves_out_beginning_and_end():
    flows = [Flow(t / 10, 0, 0, 0, 0, 0, 0) for t in range(10)]
    flows += [Flow(1 + t / 10, 2000 * t, 0, 0, 0, 0, 0) for t in range(1, 20)]
    flows += [Flow(3 + t / 10, 38_000, 0, 0, 0, 0, 0) for t in range(30)]
    way = Way(tuple(flows), flows[-1])
    assert steady(way, lambda flow: flow.sent) == pytest.approx(20_000)
    assert steady(way, lambda flow: flow.left) is None
    assert steady(Way((), flows[-1]), lambda flow: flow.sent) is None
