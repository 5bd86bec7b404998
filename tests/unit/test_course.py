"""What acts do to a trial, and how a course is told."""

from __future__ import annotations

import pytest

from pytest_ixy.course import ORDER, USUAL, Course, Extra, Moment, Relink, Restart
from pytest_ixy.errors import LabError

NOW = Moment()


class Players:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def start(self, role, *, waiting):
        self.told.append(("start", role, waiting))

    def stop(self, role):
        self.told.append(("stop", role))

    def kill(self, role):
        self.told.append(("kill", role))

    def link(self, role, *, up):
        self.told.append(("link", role, up))

    def wait(self, seconds):
        self.told.append(("wait", seconds))


class Interrupted(Players):
    """Cannot wait."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def wait(self, seconds):
        raise self.error


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (Restart("fwd", NOW), [("stop", "fwd"), ("start", "fwd", True)]),
        (Restart("fwd", NOW, killed=True), [("kill", "fwd"), ("start", "fwd", True)]),
        (Relink("fwd", NOW, 0.5), [("link", "fwd", False), ("wait", 0.5), ("link", "fwd", True)]),
    ],
)
def test_what_acts_do(act, told):
    players = Players()
    act.perform(players)
    assert players.told == told


@pytest.mark.parametrize("error", [LabError("lost"), KeyboardInterrupt()])
def test_links_come_up_again_whatever_happens_meanwhile(error):
    players = Interrupted(error)
    with pytest.raises(type(error)):
        Relink("fwd", NOW).perform(players)
    assert players.told == [("link", "fwd", False), ("link", "fwd", True)]


def test_the_usual_course_has_no_words():
    assert USUAL.words == ""


@pytest.mark.parametrize(
    ("course", "words"),
    [
        (Course(order=ORDER[::-1]), "pktgen, fwd, pcap are started in this order"),
        (Course(pauses={"pktgen": 60.0}), "60 s pass before pktgen is started"),
        (
            Course(acts=(Restart("fwd", NOW), Restart("pcap", NOW, killed=True))),
            "fwd is restarted; pcap is killed and started again",
        ),
        (Course(acts=(Relink("fwd", NOW),)), "the links of fwd are down for 1 s"),
        (Course(extras=(Extra("x", "pcap", "fwd"),)), "x plays pcap on the node of fwd"),
        (Course(seconds=5, swapped=True), "it ends after 5 s; fwd has its NICs the other way round"),
    ],
)
def test_what_is_unusual_is_told(course, words):
    assert course.words == words


def test_extras_are_found_by_name():
    extra = Extra("pcap-back", "pcap", "pktgen")
    course = Course(extras=(extra,))
    assert course.beside("pcap-back") == extra
    assert course.beside("pcap") is None
