"""Who is to blame when frames do not pass: the target's fwd, or the lab."""

from __future__ import annotations

import pytest
from bundles import make_nodes, make_run
from frame_bundles import trial

from pytest_ixy.bundle import Exit
from pytest_ixy.errors import LabError, NotRecordedError
from pytest_ixy.passage import explain, passes
from pytest_ixy.reference import command
from pytest_ixy.traffic.classes import CLASSES

NAME = "size-60"


def lossy(frames):
    return frames[:-1]


@pytest.fixture
def lab(tmp_path):
    """Runs trials; `changes` is what happens to frames by who plays fwd, `asked` what it was asked for."""

    class Lab:
        def __init__(self):
            self.asked, self.changes, self.more = [], {"target": list, "reference": list}, {}

        def __call__(self, *, packets, players, course):
            self.asked.append((packets, players["fwd"], course.traffic.name, course.seconds, course.name))
            folder = tmp_path / str(len(self.asked))
            return trial(folder, NAME, self.changes[players["fwd"]], **self.more)

    return Lab()


def test_one_trial_is_enough_where_all_is_well(lab):
    bundle, found = passes(NAME, lab)
    assert found.outcome == "passed"
    ((packets, fwd, name, seconds, label),) = lab.asked
    assert (packets, fwd, name) == (200, "target", NAME)
    assert seconds > CLASSES[NAME]().seconds
    assert label == bundle.manifest.course.name
    assert bundle.manifest.course.traffic == NAME


def test_the_target_is_blamed_when_references_pass(lab):
    lab.changes["target"] = lossy
    bundle, found = passes(NAME, lab)
    assert found.failed
    assert [fwd for _, fwd, *_ in lab.asked] == ["target", "reference"]
    text = explain(bundle, found)
    assert text.startswith("size-60: of 200 frames 1 is lost\nlost: frame 200 of those sent\n")
    assert text.endswith(f"bundle: {bundle.path}")


def test_the_lab_is_blamed_when_references_fail_too(lab):
    lab.changes = {"target": lossy, "reference": lossy}
    with pytest.raises(
        LabError, match="references fails too, so fwd cannot be blamed: size-60: of 200 frames 1"
    ):
        passes(NAME, lab)


def test_a_replay_leaves_open_what_references_would_have_done(lab):
    lab.changes["target"] = lossy

    def replay(**asked):
        if asked["players"]["fwd"] == "reference":
            raise NotRecordedError("not there")
        return lab(**asked)

    assert passes(NAME, replay)[1].failed


def test_a_sender_that_sends_too_little_is_no_verdict(lab):
    lab.more = {"nodes": make_nodes(199, 199)}
    with pytest.raises(LabError, match="The reference pktgen has sent 199 of 200 frames"):
        passes(NAME, lab)


@pytest.mark.parametrize("role", ["pktgen", "pcap"])
def test_a_reference_that_failed_is_no_verdict(role, lab):
    run = make_run(
        role, player="reference", ended_itself=True, exit=Exit(status=1), tail="it is not installed\n"
    )
    lab.more = {"roles": {role: run}}
    with pytest.raises(LabError, match=f"The reference {role} failed: it is not installed"):
        passes(NAME, lab)


def test_a_forwarder_that_died_is_told_and_what_was_not_sent_then_is_no_matter(lab):
    lab.changes["target"] = lossy
    died = make_run("fwd", ended_itself=True, exit=Exit(status=139, signal="SIGSEGV"))
    lab.more = {"roles": {"fwd": died}, "nodes": make_nodes(0, 0)}
    bundle, found = passes(NAME, lab)
    assert "fwd: " in explain(bundle, found)
    assert "SIGSEGV" in explain(bundle, found)


def test_references_are_told_what_to_send_and_when_all_has_come():
    traffic = CLASSES["sizes"]()
    assert command("pktgen", traffic) == "bash ./pktgen.sh frames.pcap"
    assert command("pcap", traffic) == f"bash ./pcap-all.sh {len(traffic.pcap())}"
    assert command("fwd", traffic) == command("fwd") == "bash ./fwd.sh"
    assert command("pktgen") == "bash ./pktgen.sh"
