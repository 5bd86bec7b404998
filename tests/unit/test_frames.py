"""The judgement of scenario `frames`: a bundle is spoiled in one way, and the words are right."""

from __future__ import annotations

import pytest
from captures import packets, pcap
from frame_bundles import trial

from pytest_ixy.bundle import SENT
from pytest_ixy.dialect import shipped
from pytest_ixy.errors import UsageError
from pytest_ixy.frames import judge
from pytest_ixy.traffic.classes import CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_what_arrives_as_it_should_passes(name, tmp_path):
    found = judge(trial(tmp_path, name))
    assert (found.outcome, found.message) == ("passed", "")
    assert found.title == f"{name}: all {len(CLASSES[name]().frames):,} frames arrived"


def without(test):
    return lambda frames: [frame for frame in frames if not test(frame)]


def cut(by):
    return lambda frames: [*frames[:9], frames[9][:-by], *frames[10:]]


def altered(at, every=1):
    def change(frames):
        return [
            frame[:at] + bytes([frame[at] ^ 0x40]) + frame[at + 1 :] if number % every == 0 else frame
            for number, frame in enumerate(frames)
        ]

    return change


def swapped(frames):
    return [*frames[:5], frames[6], frames[5], *frames[7:]]


SPOILED = {
    "longest lost": (
        "sizes", without(lambda frame: len(frame) == 1514),
        "sizes: of 1,455 frames 1 is lost", "lost: every frame of 1,514 bytes\n",
    ),
    "long lost": (
        "sizes", without(lambda frame: len(frame) > 1500),
        "sizes: of 1,455 frames 14 are lost", "lost: every frame of 1,501 bytes and more\n",
    ),
    "odd lost": (
        "sizes", without(lambda frame: len(frame) % 2),
        "sizes: of 1,455 frames 727 are lost", "lost: every frame with an odd number of bytes\n",
    ),
    "all lost": (
        "size-60", without(lambda frame: True), "size-60: of 200 frames 200 are lost", "lost: all of them\n",
    ),
    "end lost": (
        "size-60", lambda frames: frames[:150], "size-60: of 200 frames 50 are lost",
        "lost: all from the 151st on\n",
    ),
    "one lost": (
        "size-60", lambda frames: frames[:9] + frames[10:], "size-60: of 200 frames 1 is lost",
        "lost: frame 10 of those sent\n",
    ),
    "every fifth lost": (
        "size-60", lambda frames: [frame for number, frame in enumerate(frames) if number % 5 != 2],
        "size-60: of 200 frames 40 are lost", "lost: every 5th, from the 3rd on\n",
    ),
    "ARP lost": (
        "non-ip", without(lambda frame: frame[12:14] == b"\x08\x06"),
        "non-ip: of 200 frames 40 are lost", "lost: every frame of EtherType 0806\n",
    ),
    "LLC lost": (
        "non-ip", without(lambda frame: frame[12] < 6),
        "non-ip: of 200 frames 40 are lost", "lost: every frame with a length in place of a type\n",
    ),
    "group lost": (
        "multicast", without(lambda frame: frame[0] == 0x33),
        "multicast: of 200 frames 67 are lost", "lost: every frame to the group 33:33:00:…\n",
    ),
    "cut": (
        "size-1514", cut(14), "size-1514: of 200 frames 1 is altered",
        "altered: frame 10 of those sent\naltered how: cut by 14 bytes\n",
    ),
    "all cut to one size": (
        "sizes", lambda frames: [frame[:1500] for frame in frames], "sizes: of 1,455 frames 14 are altered",
        "altered: every frame of 1,501 bytes and more\naltered how: cut to 1,500 bytes\n",
    ),
    "longer": (
        "size-60", lambda frames: [frame + b"\0\0\0\0" for frame in frames],
        "size-60: of 200 frames 200 are altered", "altered: all of them\naltered how: 4 bytes too long\n",
    ),
    "byte": (
        "size-1514", altered(1490, 7), "size-1514: of 200 frames 29 are altered",
        "altered: every 7th, from the 1st on\naltered how: byte 1490 differs\n",
    ),
    "sender": (
        "size-60", altered(11), "size-60: of 200 frames 200 are altered", "altered how: byte 11 differs\n",
    ),
    "twice": (
        "size-60", lambda frames: [*frames[:5], *frames[4:]], "size-60: of 200 frames 1 is doubled",
        "doubled: frame 5 of those sent\n",
    ),
    "order": ("size-60", swapped, "size-60: of 200 frames 1 is late", "late: frame 6 of those sent\n"),
    "foreign": (
        "size-60", lambda frames: [*frames[:5], b"\x02" * 64, *frames[5:]],
        "size-60: 1 frame came that nobody sent", "first that nobody sent: frame 6 of the capture, 64 bytes:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILED)
def test_a_fault_is_told_with_what_its_frames_have_in_common(fault, tmp_path):
    name, change, title, words = SPOILED[fault]
    found = judge(trial(tmp_path, name, change))
    assert found.failed
    assert found.title == title
    assert words in found.message + "\n"


def test_a_forwarder_that_forgets_to_touch(tmp_path):
    found = judge(trial(tmp_path, touched=lambda frame: frame))
    assert found.title == "size-60: of 200 frames 200 are altered"
    assert "as pktgen sent it: the forwarder did not touch it" in found.message


def test_the_bytes_that_differ_are_shown_and_marked(tmp_path):
    text = judge(trial(tmp_path, "size-1514", altered(1490, 300))).message
    assert "first altered: frame 1 of those sent, frame 1 of the capture, 1,514 bytes:" in text
    row = next(line for line in text.splitlines() if line.startswith("  05d0  "))
    marks = text.splitlines()[text.splitlines().index(row) + 1]
    assert marks == " " * (8 + 3 * 2) + "^^"
    assert "and should have been, 1,514 bytes:" in text


def test_what_the_forwarder_touches_is_learned_where_nobody_has_said_it(tmp_path):
    found = judge(trial(tmp_path, "sizes", dialect=None))
    assert found.outcome == "passed"
    assert "byte 1 is changed in every frame, which is taken for what the forwarder touches" in found.message


@pytest.mark.parametrize("name", ["zeros", "ones", "non-ip", "multicast"])
def test_a_touched_sender_is_learned_too(name, tmp_path):
    def upper(frame):
        return frame[:6] + bytes([frame[6] + 1]) + frame[7:]

    assert judge(trial(tmp_path, name, dialect=None, touched=upper)).outcome == "passed"


def test_what_is_learned_hides_no_fault_of_some_frames(tmp_path):
    found = judge(trial(tmp_path, "sizes", altered(50, 3), dialect=None))
    assert found.title == "sizes: of 1,455 frames 485 are altered"
    assert "altered how: byte 50 differs" in found.message


def test_learning_has_a_limit(tmp_path):
    def scramble(frame):
        return frame[:20] + bytes(byte ^ 1 for byte in frame[20:26]) + frame[26:]

    assert judge(trial(tmp_path, dialect=None, touched=scramble)).failed


def test_every_way_of_touching_passes(tmp_path):
    for number, name in enumerate(("go", "java", "rust", "python")):
        dialect = shipped(name)

        def applied(frame, dialect=dialect):
            for one in dialect.touched:
                frame = bytes(one.applied(tuple(frame)))
            return frame

        found = judge(trial(tmp_path, "bursts", dialect=dialect, touched=applied, run=f"run-{number}"))
        assert found.outcome == "passed", name


def test_a_damaged_capture_is_judged_as_far_as_it_goes(tmp_path):
    made = trial(tmp_path)
    capture = made.path / "capture.pcap"
    capture.write_bytes(capture.read_bytes()[:-30])
    found = judge(made)
    assert found.title == "size-60: of 200 frames 1 is lost"
    assert "note: the capture is cut" in found.message


def test_no_capture_at_all(tmp_path):
    made = trial(tmp_path)
    made.manifest = made.manifest.model_copy(
        update={"capture": made.manifest.capture.model_copy(update={"file": None})}
    )
    found = judge(made)
    assert found.title == "size-60: of 200 frames 200 are lost"
    assert "note: there is no capture" in found.message


@pytest.mark.parametrize("data", [None, b"", b"nothing", pcap([]), pcap(packets([b"\0" * 9001]))])
def test_what_was_sent_has_to_be_there(data, tmp_path):
    made = trial(tmp_path)
    (made.path / SENT).unlink()
    if data is not None:
        (made.path / SENT).write_bytes(data)
    with pytest.raises(UsageError, match="sent"):
        judge(made)


def test_nothing_of_a_capture_reaches_the_terminal_raw(tmp_path):
    found = judge(trial(tmp_path, change=lambda frames: [b"\x1b[31m" * 20, *frames]))
    assert "\x1b" not in found.title + found.message
