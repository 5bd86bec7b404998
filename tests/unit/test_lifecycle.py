"""The cases of scenario lifecycle, judged on captures that are made here."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest
from bundles import make_bundle, make_nodes, make_run
from captures import Packet, ixy_frame, packets, pcap
from ways import as_nodes, as_series

from pytest_ixy import beginning, lifecycle, recovery
from pytest_ixy.bundle import BACK, CAPTURE, CaptureRecord, CourseRecord, Event, Exit, load
from pytest_ixy.cases import AGAIN, CASES, DUPLEX, IDLE, KILLED, LATE, LINK, RESTART
from pytest_ixy.course import Restart
from pytest_ixy.errors import LabError
from pytest_ixy.rules import Evidence
from pytest_ixy.series import Series
from pytest_ixy.way import Flow, Way

NICS = ("pktgen/0", "fwd/0", "fwd/1", "pcap/0")
TIMES = [at / 10 for at in range(1, 20)]
N = 10_000
BEFORE, LOST = 2000, 3000
SECOND = 10**9
ROLES = {role: make_run(role) for role in ("pcap", "fwd", "pktgen")}


def stream(numbers, *, silent_before=None, silence=2 * SECOND):
    """Packets with those numbers, 10 µs apart; `silence` before one of them."""
    made, late = [], 0
    for index, one in enumerate(numbers):
        late += silence if one == silent_before else 0
        made.append(Packet(ixy_frame(one), 1_700_000_000 * SECOND + index * 10_000 + late))
    return made


GOOD = [*range(BEFORE), *range(BEFORE + LOST, N + LOST)]
EVENT = Event(seconds=1.5, until=3.5, words="fwd is restarted", before=BEFORE, after=BEFORE)


def counted(dropped):
    """Nodes whose networks dropped so many frames in front of pcap."""
    pcap, *others = make_nodes(2 * N, N)
    nics = tuple(nic.model_copy(update={"dropped": dropped}) for nic in pcap.nics)
    return (pcap.model_copy(update={"nics": nics}), *others)


def bundle(tmp_path, case, frames, event=EVENT, dropped=0, **overrides):
    course = CourseRecord(words="", name=case, events=(event,) if event else ())
    return make_bundle(
        tmp_path,
        frames,
        packets=overrides.pop("count", N),
        scenario="lifecycle",
        course=course,
        nodes=counted(dropped),
        **overrides,
    )


def restarted(roles=ROLES):
    return {**roles, "fwd-2": make_run("fwd")}


def judged(tmp_path, case, numbers, event=EVENT, **overrides):
    frames = stream(numbers, silent_before=BEFORE + LOST)
    return lifecycle.judged(bundle(tmp_path, case, frames, event, **overrides))


@pytest.mark.parametrize("case", [RESTART, LINK])
def test_a_stream_that_goes_on_after_a_gap_passes(tmp_path, case):
    found = judged(tmp_path, case, GOOD, roles=restarted())
    assert (found.rule, found.outcome) == (case, "passed"), found
    assert found.numbers == {
        "before": BEFORE,
        "after": N - BEFORE - recovery.WAITING,
        "silence": pytest.approx(2.00001),
        "lost_before": 0,
        "lost_meanwhile": LOST,
        "lost_after": 0,
    }
    assert "last before: #1,999, frame 2,000, 0.019990 s" in found.message.replace("0.020 s", "0.019990 s")
    assert "first after: #5,000, frame 2,001, 2.020 s" in found.message


def test_numbers_may_be_far_higher_than_usual(tmp_path):
    numbers = [*range(BEFORE), *range(10 * N, 11 * N - BEFORE)]
    assert judged(tmp_path, RESTART, numbers, roles=restarted()).outcome == "passed"


def test_no_packet_after_the_event_fails(tmp_path):
    late = CaptureRecord(file=CAPTURE, deadline=15.0, seconds=15.1, timed_out=True)
    found = judged(tmp_path, RESTART, range(BEFORE), roles=restarted(), capture=late)
    assert found.failed
    assert found.title.startswith("traffic does not flow again after fwd is restarted (and ")
    assert "happened: none of the 2,000 frames captured came after it" in found.message
    assert "the last packet is #1,999, 0.020 s after the first" in found.message
    assert "complete: pcap had not ended" in found.message


def test_what_had_only_waited_is_no_traffic(tmp_path):
    few = range(BEFORE + LOST, BEFORE + LOST + 300)
    found = judged(tmp_path, RESTART, [*range(BEFORE), *few], roles=restarted())
    assert found.title.startswith("traffic does not flow again after fwd is restarted (and ")
    assert "happened: only 300 packets of the 2,300 frames captured came after it" in found.message


def thinned(keep, among):
    """Of those after the event only some."""
    after = (number for number in range(BEFORE + LOST, 5 * N) if number % among < keep)
    return [*range(BEFORE), *(next(after) for _ in range(N - BEFORE))]


@pytest.mark.parametrize(
    ("keep", "among", "dropped", "title"),
    [
        (1, 3, 100_000, "66.7% of the packets are lost after it was over, 0.0% were before"),
        (4, 5, 100, "20.0% of the packets are lost after it was over, 0.0% were before"),
        (4, 5, 5000, ""),
        (4, 5, None, ""),
        (19, 20, 0, ""),
    ],
    ids=["most", "not by a network", "by a network", "nobody knows", "few"],
)
def test_loss_that_goes_on_after_the_event_fails(tmp_path, keep, among, dropped, title):
    found = judged(tmp_path, LINK, thinned(keep, among), dropped=dropped)
    assert found.title.startswith(title)
    assert found.failed is bool(title)


@pytest.mark.parametrize(
    ("case", "over", "outcome"), [(LINK, 3.5, "failed"), (LINK, 2.5, "passed"), (LATE, 0, "passed")]
)
def test_what_networks_dropped_meanwhile_excuses_nothing_afterwards(tmp_path, case, over, outcome):
    flows = [Flow(at, 4 * N, N, refused, N, N, 0) for at, refused in ((1.0, 0), (3.0, 9000), (5.0, 9100))]
    made = bundle(
        tmp_path,
        case,
        stream(thinned(4, 5)),
        EVENT.model_copy(update={"until": over}) if over else None,
        series={"counters": "counters.json"},
    )
    (made.path / "counters.json").write_text(
        as_series(Way(tuple(flows), flows[-1]), {"waited": 5.0}).model_dump_json()
    )
    made.manifest = made.manifest.model_copy(update={"nodes": as_nodes(flows[-1])})
    assert lifecycle.judged(made).outcome == outcome


def test_loss_that_was_there_before_is_no_fault_of_the_event(tmp_path):
    thin = [*range(0, 3 * BEFORE, 3), *range(3 * BEFORE + LOST, 5 * N, 3)]
    assert not judged(tmp_path, LINK, thin[:N]).failed


def test_what_waited_meanwhile_comes_first_and_is_no_loss(tmp_path):
    waited = range(BEFORE + 256, BEFORE + 756)
    numbers = [*range(BEFORE), *waited, *range(BEFORE + LOST, 2 * N)][:N]
    found = judged(tmp_path, RESTART, numbers, roles=restarted())
    assert found.numbers["lost_meanwhile"] == LOST - 500
    assert not found.failed


def test_other_rules_still_hold(tmp_path):
    numbers = [*GOOD[:-1], GOOD[-2]]
    found = judged(tmp_path, RESTART, numbers, roles=restarted())
    assert found.title == "1 of 10,000 packets carries a sequence number seen before"
    assert found.message.startswith("duplicates: ")


def test_packets_out_of_order_are_seen_however_high_their_numbers(tmp_path):
    numbers = [*range(BEFORE), *range(10 * N, 11 * N - BEFORE)]
    numbers[-1], numbers[-9] = numbers[-9], numbers[-1]
    found = judged(tmp_path, RESTART, numbers, roles=restarted())
    assert found.message.startswith("order: ")


def test_where_nobody_counts_the_furthest_rise_is_the_event(tmp_path):
    uncounted = EVENT.model_copy(update={"before": None, "after": None})
    found = judged(tmp_path, RESTART, GOOD, uncounted, roles=restarted())
    assert (found.outcome, found.numbers["before"]) == ("passed", BEFORE)
    assert found.numbers["lost_meanwhile"] == LOST


def test_a_trial_in_which_nothing_was_done_fails(tmp_path):
    found = judged(tmp_path, LINK, GOOD, None)
    assert found.title == "nothing was done in mid-stream: too few packets came"


@pytest.mark.parametrize("frames", [-5, 10**30])
def test_impossible_counters_of_a_strange_bundle_are_judged(tmp_path, frames):
    strange = EVENT.model_copy(update={"before": frames, "after": frames})
    assert judged(tmp_path, LINK, GOOD, strange).outcome in {"passed", "failed"}


def killed(**changes):
    end = {"exit": Exit(status=137, signal="SIGKILL"), "stopped_by": "KILL", **changes}
    return restarted({**ROLES, "fwd": make_run("fwd", **end)})


def test_who_was_killed_on_purpose_need_not_end_in_order(tmp_path):
    assert judged(tmp_path, KILLED, GOOD, roles=killed()).outcome == "passed"


def test_who_had_to_be_killed_at_a_restart_fails(tmp_path):
    found = judged(tmp_path, RESTART, GOOD, roles=killed())
    assert found.title == "fwd did not end when told to stop by INT and TERM and had to be killed"


def test_who_died_before_he_was_killed_fails(tmp_path):
    dead = killed(ended_itself=True, stopped_by=None, exit=Exit(status=139, signal="SIGSEGV"))
    assert judged(tmp_path, KILLED, GOOD, roles=dead).message.startswith("exits: ")


def test_who_does_not_come_back_fails(tmp_path):
    roles = killed() | {"fwd-2": make_run("fwd", ended_itself=True, stopped_by=None, exit=Exit(status=1))}
    found = judged(tmp_path, KILLED, GOOD[:BEFORE], roles=roles)
    assert "exits: fwd ended by itself" in found.message


@pytest.mark.parametrize("waited", [0, 1, 1000])
def test_a_late_capture_begins_anywhere_behind_what_waited(tmp_path, waited):
    numbers = [*range(waited), *range(7000, 7000 + N - waited)]
    found = judged(tmp_path, LATE, numbers, None)
    assert (found.outcome, found.numbers) == ("passed", {"first": 7000, "missing": 0, "waited": waited})


@pytest.mark.parametrize(("dropped", "outcome"), [(100, "failed"), (7000, "passed")])
def test_a_late_capture_with_holes_fails_unless_the_networks_made_them(tmp_path, dropped, outcome):
    numbers = [*range(7000, 7000 + N // 2), *range(20_000, 20_000 + N // 2)]
    found = judged(tmp_path, LATE, numbers, None, dropped=dropped)
    assert found.outcome == outcome
    assert outcome == "passed" or found.title == (
        "8,000 packets are missing (44.4%) after pcap began in mid-stream"
    )


@pytest.mark.parametrize("case", [IDLE, AGAIN])
@pytest.mark.parametrize(("first", "outcome"), [(0, "passed"), (beginning.MISSED, "passed"), (100, "failed")])
def test_none_is_lost_at_the_beginning(tmp_path, case, first, outcome):
    found = judged(tmp_path, case, range(first, first + N), None)
    assert found.outcome == outcome
    assert outcome == "passed" or found.title == "the first 100 packets were lost"


def test_stale_packets_fail(tmp_path):
    numbers = [*range(9000, 9300), *range(N - 300)]
    assert "fresh: numbering begins anew 1 time" in judged(tmp_path, AGAIN, numbers, None).message


def test_nothing_captured_is_told_by_the_rules(tmp_path):
    found = lifecycle.judged(bundle(tmp_path, IDLE, [], None, roles={}))
    assert found.failed
    assert "complete: the capture holds no frame" in found.message


def both_ways(tmp_path, back, **roles):
    extras = {"pcap-back": make_run("pcap"), "pktgen-back": make_run("pktgen")}
    made = bundle(tmp_path, DUPLEX, stream(range(N)), None, roles={**ROLES, **extras, **roles})
    (made.path / BACK).write_bytes(pcap(packets(back)))
    record = made.manifest.course.model_copy(update={"back": CaptureRecord(file=BACK)})
    nodes = tuple(
        node.model_copy(update={"nics": tuple(nic.model_copy(update={"sent": 2 * N}) for nic in node.nics)})
        for node in made.manifest.nodes
    )
    made.manifest = made.manifest.model_copy(update={"course": record, "nodes": nodes})
    return lifecycle.judged(made)


def test_both_ways_pass(tmp_path):
    found = both_ways(tmp_path, map(ixy_frame, range(N)))
    assert found.outcome == "passed", found
    assert "; on the way back the capture is whole: 10,000 frames" in found.title


def test_the_way_back_is_judged_too(tmp_path):
    found = both_ways(tmp_path, map(ixy_frame, [*range(N - 1), 7]))
    assert "duplicates, on the way back: 1 of 10,000 packets" in found.message


def test_who_plays_at_the_other_end_is_judged_too(tmp_path):
    crashed = make_run("pcap", exit=Exit(status=139, signal="SIGSEGV"))
    found = both_ways(tmp_path, map(ixy_frame, range(N)), **{"pcap-back": crashed})
    assert found.message.startswith("exits, on the way back: pcap was ended by SIGSEGV")


def test_a_capture_that_is_left_out_on_the_way_back_fails(tmp_path):
    found = both_ways(tmp_path, [])
    assert "complete, on the way back: " in found.message


def test_a_way_back_that_nobody_captured_fails(tmp_path):
    made = bundle(tmp_path, DUPLEX, stream(range(N)), None, roles=ROLES)
    assert "complete, on the way back: there is no capture" in lifecycle.judged(made).message


def test_no_loss_on_the_way_back_is_placed_by_what_was_counted_on_the_way_there(tmp_path):
    names = [f"{nic}/{what}" for nic in NICS for what in ("sent", "received", "dropped")]
    rows = [(at, *(round(at * N) if name.endswith(("sent", "ved")) else 0 for name in names)) for at in TIMES]
    strict = {"loss": {"severity": "fail", "max_ratio": 0.01}}
    files = {"counters": "counters.json"}
    made = bundle(tmp_path, DUPLEX, stream(range(N)), None, roles=ROLES, series=files, rules=strict)
    series = Series(names=tuple(names), rows=tuple(rows), marks={"waited": TIMES[-1]})
    (made.path / "counters.json").write_text(series.model_dump_json())
    flow = Flow(2.0, 2 * N, 2 * N, 0, 2 * N, 2 * N, 0)
    back = CaptureRecord(file=BACK)
    (made.path / BACK).write_bytes(pcap(stream([*range(0, N, 2), *range(N, N + N // 2)])))
    course = made.manifest.course.model_copy(update={"back": back})
    made.manifest = made.manifest.model_copy(update={"course": course, "nodes": full(flow)})
    message = lifecycle.judged(made).message
    assert "loss, on the way back: " in message
    assert "where they were lost" not in message


def full(flow):
    """Nodes of which every NIC has counted as much."""
    much = {"sent": flow.sent, "received": flow.sent, "dropped": 0}
    return tuple(
        node.model_copy(update={"nics": tuple(nic.model_copy(update=much) for nic in node.nics)})
        for node in as_nodes(flow)
    )


class Lab:
    """Runs trials that leave what was made beforehand."""

    def __init__(self, *bundles):
        self.bundles, self.asked = list(bundles), []

    def run(self, count, _players, course):
        self.asked.append((count, course.name))
        return self.bundles.pop(0)


def test_a_stream_that_ended_too_early_is_tried_again_with_more(tmp_path):
    short = bundle(tmp_path / "a", RESTART, stream(range(100)), None, count=100)
    over = EVENT.model_copy(update={"before": 90, "after": 100})
    still = bundle(tmp_path / "b", RESTART, stream(range(400)), over, count=400)
    good = bundle(tmp_path / "c", RESTART, stream(GOOD))
    lab = Lab(short, still, good)
    assert lifecycle.attempt(RESTART, 100, 60, None, lab.run) is good
    assert lab.asked == [(100, RESTART), (400, RESTART), (1600, RESTART)]


def test_one_that_is_always_too_early_is_no_verdict(tmp_path):
    made = [bundle(tmp_path / name, LINK, stream(range(100)), None, count=100) for name in "abc"]
    with pytest.raises(LabError, match="pcap had its 100 packets"):
        lifecycle.attempt(LINK, 100, 60, None, Lab(*made).run)


def test_a_stream_that_never_came_is_not_tried_again(tmp_path):
    made = bundle(tmp_path, LINK, [], None)
    assert lifecycle.attempt(LINK, N, 60, None, Lab(made).run) is made


def test_again_is_two_trials_of_which_the_second_counts(tmp_path):
    first, second = (bundle(tmp_path / name, AGAIN, stream(range(N)), None) for name in "ab")
    assert lifecycle.attempt(AGAIN, N, 60, None, Lab(first, second).run) is second


def test_again_ends_with_the_first_when_that_is_bad(tmp_path):
    first = bundle(tmp_path, AGAIN, stream(range(N - 1)), None)
    assert lifecycle.attempt(AGAIN, N, 60, None, Lab(first).run) is first


def test_every_case_has_a_course_of_its_name():
    courses = {case: lifecycle.course(case, N, 7) for case in CASES}
    assert {case: course.name for case, course in courses.items()} == {case: case for case in CASES}
    assert courses[IDLE].pauses == {"pktgen": 7.0}
    assert courses[AGAIN] == changed(lifecycle.USUAL, name=AGAIN)
    assert [act.at.packets for act in courses[RESTART].acts] == [N // 5]
    assert isinstance(courses[KILLED].acts[0], Restart)


def test_a_case_about_a_role_that_the_reference_plays_is_pointless():
    cast = {"pktgen": "target", "fwd": "reference", "pcap": "target"}
    assert lifecycle.pointless(RESTART, cast) == "fwd is not played by a program of the target"
    assert not lifecycle.pointless(LATE, cast)
    assert not lifecycle.pointless(AGAIN, cast)


def test_the_judgement_needs_nothing_but_the_folder(tmp_path):
    made = bundle(tmp_path, RESTART, stream(GOOD, silent_before=BEFORE + LOST), roles=restarted())
    assert lifecycle.judged(load(made.path)) == lifecycle.judged(made)
    assert not recovery.too_short(Evidence(load(made.path)))
