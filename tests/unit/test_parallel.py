from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress, Step


def fail(error):
    raise error


def test_results_come_by_name_in_the_order_asked_for():
    assert list(all_at_once({"b": lambda: 1, "a": lambda: 2}).items()) == [("b", 1), ("a", 2)]


def test_no_job_is_no_error():
    assert all_at_once({}) == {}


def test_jobs_run_at_the_same_time():
    barrier = threading.Barrier(3, timeout=30)
    assert len(all_at_once(dict.fromkeys("abc", barrier.wait))) == 3


def test_the_first_job_in_order_that_failed_is_told_after_all_have_ended():
    failed = threading.Event()
    ended = []

    def early():
        failed.set()
        raise ValueError("early")

    def late():
        assert failed.wait(30)
        ended.append("late")
        raise KeyError("late")

    with pytest.raises(KeyError, match="late"):
        all_at_once({"ok": lambda: 1, "late": late, "early": early})
    assert ended == ["late"]


def test_ticks_name_the_unfinished_on_the_callers_thread():
    ticked, proceed = [], threading.Event()

    def tick(unfinished):
        ticked.append((unfinished, threading.current_thread()))
        proceed.set()

    all_at_once({"slow": lambda: proceed.wait(30)}, tick=tick)
    assert ticked[0] == (["slow"], threading.main_thread())


def test_an_interrupt_ends_the_jobs_and_goes_on():
    stop, ended = threading.Event(), []

    def job():
        assert stop.wait(30)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        all_at_once({"a": job, "b": job}, tick=lambda _: fail(KeyboardInterrupt()), abort=stop.set)
    assert ended == [True, True]


def test_threads_that_cannot_be_started_do_not_hide_why(monkeypatch):
    start, stop = threading.Thread.start, threading.Event()

    def start_first_only(thread):
        if thread.name == "ixy-b":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_first_only)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        all_at_once({"a": lambda: stop.wait(30), "b": lambda: 1, "c": lambda: 1}, abort=stop.set)


def test_jobs_that_hang_do_not_keep_the_program_from_ending():
    text = """
import threading
from pytest_ixy import parallel
def tick(_): raise KeyboardInterrupt
threading.Thread.join = lambda self, timeout=None: None
try:
    parallel.all_at_once({"a": threading.Event().wait}, tick=tick)
except KeyboardInterrupt:
    print("over")
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "over\n"


def test_phases_are_announced_and_recorded():
    shown: list[Step] = []
    progress = Progress(shown.append)
    with progress.phase("boot"):
        progress.tell("2 of 3")
    assert [(step.phase, step.detail, step.over) for step in shown] == [
        ("boot", "", False),
        ("boot", "2 of 3", False),
        ("boot", "", True),
    ]
    (phase,) = progress.phases
    assert phase.name == "boot"
    assert phase.started.tzinfo is not None
    assert phase.seconds == pytest.approx(shown[-1].elapsed, abs=0.001)


def test_a_phase_that_fails_is_recorded_and_ended():
    shown: list[Step] = []
    progress = Progress(shown.append)
    with pytest.raises(ValueError, match="x"), progress.phase("boot"):
        raise ValueError("x")
    assert [phase.name for phase in progress.phases] == ["boot"]
    assert shown[-1].over
