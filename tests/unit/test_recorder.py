from __future__ import annotations

import subprocess
import threading

import pytest

from pytest_ixy.providers.qemu.recorder import ENDS, Recorder


@pytest.fixture
def log(tmp_path):
    return tmp_path / "console"


def record(log, script, limit):
    recorder = Recorder(log, limit)
    with recorder.sink as sink:
        process = subprocess.Popen(["sh", "-c", script], stdout=sink)
    assert process.wait() == 0
    recorder.close()
    recorder.close()
    return log.read_bytes()


def test_all_that_a_process_wrote_before_it_died_is_there(log):
    assert record(log, "seq 100000", 1 << 20) == "".join(f"{n}\n" for n in range(1, 100_001)).encode()


def test_more_than_the_bound_is_taken_and_forgotten(log):
    assert record(log, "head -c 5000000 /dev/zero", 10_000) == bytes(10_000) + ENDS


def test_just_as_much_as_the_bound_is_whole(log):
    assert record(log, "head -c 10000 /dev/zero", 10_000) == bytes(10_000)


def test_what_is_written_late_is_told_of_once(log):
    assert record(log, "for n in 1 2 3 4; do echo $n; sleep 0.1; done", 4) == b"1\n2\n" + ENDS


def test_a_full_disk_does_not_stop_the_writer(log):
    log.symlink_to("/dev/full")
    recorder = Recorder(log, 1 << 30)
    with recorder.sink as sink:
        assert (
            subprocess.run(["head", "-c", "5000000", "/dev/zero"], stdout=sink, check=False).returncode == 0
        )
    recorder.close()


def test_the_thread_ends_with_the_writer(log):
    record(log, "echo", 10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ixy-recorder")]
