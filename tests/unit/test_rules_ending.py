"""complete, sent and exits."""

from __future__ import annotations

import pytest
from bundles import make_bundle, make_nodes, make_run
from captures import Packet, ixy_frame

from pytest_ixy.bundle import CaptureRecord, Exit
from pytest_ixy.rules import judge, judge_run


def ask(tmp_path, rule, frames=None, **overrides):
    return judge(make_bundle(tmp_path, frames, **overrides), [rule])[0]


# complete


def test_a_timeout_says_how_many_had_come(tmp_path):
    late = CaptureRecord(file="capture.pcap", timed_out=True, deadline=20.0, seconds=15.04)
    finding = ask(tmp_path, "complete", map(ixy_frame, range(61)), capture=late)
    assert finding.title == "pcap had not ended 15.0 s after pktgen's start: 61 of 100 packets had come"
    assert "pcap on fwd-pcap: sent 0, received 101" in finding.message


def test_a_timeout_without_a_capture(tmp_path):
    finding = ask(
        tmp_path, "complete", capture=CaptureRecord(file=None, timed_out=True, deadline=20.0, seconds=15.04)
    )
    assert "0 of 100 packets had come (and more)" in finding.title
    assert "there is no capture: pcap left none" in finding.message


def test_frames_longer_than_they_were(tmp_path):
    finding = ask(tmp_path, "complete", [Packet(ixy_frame(0), original=40)])
    assert finding.title == "1 frame of 1 with more bytes captured than there were on the wire"


# sent


@pytest.mark.parametrize(("sent", "outcome"), [(99, "failed"), (100, "passed"), (5000, "passed")])
def test_sent_by_the_counter(tmp_path, sent, outcome):
    finding = ask(tmp_path, "sent", nodes=make_nodes(sent, 100))
    assert (finding.outcome, finding.numbers["sent"]) == (outcome, sent)


@pytest.mark.parametrize(
    ("frames", "outcome", "words"),
    [
        (None, "passed", "100 packets of its kind came through"),
        ([], "failed", "nothing shows that pktgen sent"),
        (b"junk", "skipped", "not a capture"),
    ],
)
def test_sent_without_a_counter(tmp_path, frames, outcome, words):
    finding = ask(tmp_path, "sent", frames, nodes=make_nodes(None, None))
    assert finding.outcome == outcome
    assert words in finding.title


# exits

GOOD = [
    ("pcap", {}),
    ("fwd", {}),
    ("pktgen", {"exit": Exit(status=0)}),
    ("fwd", {"exit": Exit(status=1)}),
    ("fwd", {"exit": Exit(status=143, signal="SIGTERM"), "stopped_by": "TERM"}),
]

SEGV = Exit(status=139, signal="SIGSEGV", core_pattern="|/lib/core %p")
BAD = [
    ("pcap", {"exit": Exit(status=3)}, "pcap ended with status 3 5.5 s after its start"),
    (
        "pcap",
        {"ended_itself": False, "stopped_by": "INT"},
        "pcap did not end by itself and was stopped (INT)",
    ),
    ("pcap", {"exit": SEGV}, "pcap was ended by SIGSEGV 5.5 s after its start; core pattern: |/lib/core %p"),
    (
        "fwd",
        {"exit": Exit(status=0), "ended_itself": True},
        "fwd ended by itself 5.5 s after its start with status 0",
    ),
    ("pktgen", {"exit": SEGV, "ended_itself": True}, "pktgen was ended by SIGSEGV 5.5 s after its start;"),
    ("fwd", {"exit": SEGV}, "after it was told to stop"),
    ("fwd", {"exit": Exit(status=130, signal="SIGINT"), "ended_itself": True}, "fwd was ended by SIGINT"),
    ("fwd", {"exit": Exit(status=137, signal="SIGKILL")}, "fwd was ended by SIGKILL"),
    ("fwd", {"exit": Exit(status=137, signal="SIGKILL"), "stopped_by": "KILL"}, "had to be killed"),
    (
        "fwd",
        {"exit": Exit(status=127, missing=True), "ended_itself": True},
        "no such program, or not executable",
    ),
    ("fwd", {"exit": Exit(status=None), "ended": None}, "fwd ended nobody knows how"),
    ("fwd", {"stragglers": ("sleep", "sh")}, "fwd left 2 of its processes behind (sleep, sh)"),
    ("pcap", {"exit": Exit(status=1), "stragglers": ("sh",)}, ", and left 1 of its processes behind (sh)"),
]


@pytest.mark.parametrize(("role", "overrides"), GOOD)
def test_good_ends(role, overrides):
    assert judge_run(role, make_run(role, **overrides)).outcome == "passed"


@pytest.mark.parametrize(("role", "overrides", "words"), BAD)
def test_bad_ends(tmp_path, role, overrides, words):
    run = make_run(role, **overrides)
    finding = judge_run(role, run)
    assert finding.outcome == "failed"
    assert words in finding.title
    assert f"command: build/ixy-{role} $PCI_ADDR" in finding.message
    roles = {name: run if name == role else make_run(name) for name in ("pcap", "fwd", "pktgen")}
    exits = ask(tmp_path, "exits", roles=roles)
    assert exits.title == finding.title
    assert finding.message in exits.message


def test_the_last_lines_of_output_are_shown_and_harmless():
    tail = "".join(f"line {n}\n" for n in range(90)) + "\x1b[31mdied\x1b[0m\r\n"
    message = judge_run("pcap", make_run("pcap", exit=Exit(status=1), tail=tail)).message
    assert "line 89" in message
    assert "line 5\n" not in message
    assert r"\x1b[31mdied\x1b[0m\r" in message


def test_names_that_a_target_chose_are_harmless(tmp_path):
    run = make_run("fwd", stragglers=("a\nPASSED\x1b[2J\u202e",))
    finding = judge_run("fwd", run)
    assert finding.title == r"fwd left 1 of its processes behind (a\nPASSED\x1b[2J\u202e)"
    bundle = make_bundle(tmp_path, capture=CaptureRecord(file="x\ty.pcap"))
    (tmp_path / bundle.manifest.run / "x\ty.pcap").unlink()
    complete, count = judge(bundle, ["complete", "count"])
    assert complete.title == r"there is no capture: x\ty.pcap does not exist"
    assert count.title == r"not judged: there is no capture: x\ty.pcap does not exist"


def test_a_silent_role_is_called_so():
    assert "it printed nothing" in judge_run("pcap", make_run("pcap", exit=Exit(status=1), tail="")).message


def test_a_role_that_was_never_started(tmp_path):
    finding = ask(tmp_path, "exits", roles={"pcap": make_run("pcap"), "fwd": make_run("fwd")})
    assert (finding.outcome, finding.title) == ("failed", "pktgen was never started")


def test_no_role_at_all(tmp_path):
    assert ask(tmp_path, "exits", roles={}).outcome == "skipped"


def test_names_of_nodes_and_networks_cannot_act(tmp_path):
    nodes = tuple(
        node.model_copy(
            update={
                "name": f"{node.name}\x1b[2J",
                "nics": tuple(nic.model_copy(update={"network": "\x1b]0;x\x07"}) for nic in node.nics),
            }
        )
        for node in make_nodes(1, 1)
    )
    roles = {"pcap\x1b[2J": make_run("pcap")}
    findings = judge(make_bundle(tmp_path, nodes=nodes, roles=roles, packets=50))
    said = "".join(finding.title + finding.message for finding in findings)
    assert "pktgen\\x1b[2J: 1,024 MiB available" in said
    assert "\x1b" not in said


def test_crashed_and_never_started_roles_are_counted_together(tmp_path):
    roles = {"pcap": make_run("pcap"), "fwd": make_run("fwd", exit=Exit(status=139, signal="SIGSEGV"))}
    finding = ask(tmp_path, "exits", roles=roles)
    assert finding.numbers == {"roles": 2, "wrong": 2, "broke": "fwd"}
    assert finding.title.endswith("; pktgen was never started")


@pytest.mark.parametrize(
    ("role", "title", "status"),
    [
        ("pcap", "pcap ended by itself with status 0", 0),
        ("fwd", "fwd ended when told to stop (INT)", 130),
    ],
)
def test_how_a_role_ended_is_told(role, title, status):
    finding = judge_run(role, make_run(role))
    assert (finding.title, finding.numbers) == (title, {"status": status})


def test_an_end_by_signal_without_a_status_is_known():
    finding = judge_run("fwd", make_run("fwd", exit=Exit(status=None, signal="SIGSEGV")))
    assert "SIGSEGV" in finding.title
    assert finding.numbers == {"status": "unknown"}


def test_pcap_that_was_stopped_nobody_knows_how():
    finding = judge_run("pcap", make_run("pcap", ended_itself=False, stopped_by=None))
    assert finding.title == "pcap did not end by itself and was stopped (how is not known)"


@pytest.mark.parametrize("log", ["", "roles/fwd.log"])
def test_the_last_fifty_lines_and_where_all_of_them_are(log):
    tail = "".join(f"line {number}\n" for number in range(70))
    finding = judge_run("fwd", make_run("fwd", exit=Exit(status=1), ended_itself=True, tail=tail, log=log))
    lines = finding.message.splitlines()
    assert lines[1:-50] == [*([f"log: {log}"] if log else []), "last lines of its output:"]
    assert lines[-50:] == [f"  line {number}" for number in range(20, 70)]
