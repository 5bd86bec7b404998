"""A capture that is judged while it is fetched from a real SSH server gets the verdict it gets afterwards."""

from __future__ import annotations

import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bundles import make_bundle
from captures import (
    Packet,
    arp_frame,
    block,
    enhanced,
    interface,
    ixy_frame,
    packets,
    pcap,
    pcapng,
    section,
)
from sshd import needs, needs_root, until

from pytest_ixy.bundle import Bundle
from pytest_ixy.capture import Growing, window
from pytest_ixy.capture.growing import GivenUpError
from pytest_ixy.dialect import shipped
from pytest_ixy.errors import LabError
from pytest_ixy.remote import RemoteFileMissing
from pytest_ixy.rules import Evidence, judge
from pytest_ixy.rules.meanwhile import Meanwhile

pytest_plugins = ["sshd_fixtures"]

COUNT = 30_000


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "SIZE", 1 << 19)


def good():
    return [ixy_frame(n) for n in range(COUNT)]


def damaged():
    frames = good()
    frames[100], frames[20_000] = ixy_frame(7), ixy_frame(7)
    frames[5_000] = ixy_frame(5_000, size=64)
    frames[6_000] = ixy_frame(6_000, magic=b"ixx")
    frames[25_000] = arp_frame()
    del frames[9_000:9_100]
    return frames


def scattered():
    return [ixy_frame(n * 130_000 % 2**32, size=60 + n * 7 % 64) for n in range(COUNT)]


def far_apart():
    """pcapng with a block of a megabyte between packets, which readers step over."""
    records = packets(good())
    some, more = (b"".join(map(enhanced, part)) for part in (records[:500], records[500:]))
    return section() + interface() + some + block(0xBAD, os.urandom(1 << 20)) + more


CAPTURES = {
    "good": lambda: pcap(packets(good())),
    "good pcapng": lambda: pcapng(packets(good())),
    "damaged": lambda: pcap(packets(damaged())),
    "numbers all over": lambda: pcap(packets(scattered())),
    "stepped over": far_apart,
    "stepped over, cut in it": lambda: far_apart()[:500_000],
    "cut": lambda: pcap(packets(good()))[:-30],
    "snapped": lambda: pcap([Packet(ixy_frame(n)[:50], n * 1000, 60) for n in range(COUNT)]),
    "impossible record": lambda: pcap(packets(good())) + b"\xff" * 4000,
    "header alone": lambda: pcap([]),
    "half a header": lambda: pcap([])[:10],
    "empty": lambda: b"",
    "no capture": lambda: b"Segmentation fault\n" * 100_000,
}


def fetch(host, bundle, folder, meanwhile):
    """The bundle's capture brought into a folder, looked at while it comes."""
    local = folder / bundle.manifest.capture.file
    told = {"progress": meanwhile.grew, "begun": meanwhile.begin}
    with meanwhile:
        host.fetch(str(bundle.capture), local, timeout=60, **told)
        meanwhile.finish()
    return Bundle(folder, bundle.manifest, meanwhile.observed)


def shown(observed):
    seen = observed.seen.missing(0, observed.highest or 0), observed.seen.again()
    return {**vars(observed), "flaw": str(observed.flaw), "seen": seen, "clock": vars(observed.clock)}


@needs_root
@needs("zstd")
@pytest.mark.parametrize("name", CAPTURES)
def test_the_verdict_is_the_same(host, tmp_path, name):
    there = make_bundle(tmp_path / "there", CAPTURES[name](), packets=COUNT)
    (tmp_path / "here").mkdir()
    early = fetch(host, there, tmp_path / "here", Meanwhile(shipped()))
    late = Bundle(early.path, early.manifest)
    assert Evidence(early).observed is early.observed
    assert shown(early.observed) == shown(Evidence(late).observed)
    assert [finding.as_dict() for finding in judge(early)] == [finding.as_dict() for finding in judge(late)]


def test_a_pass_that_breaks_is_made_again_by_who_judges(host, tmp_path):
    there = make_bundle(tmp_path / "there")
    (tmp_path / "here").mkdir()
    made = fetch(host, there, tmp_path / "here", Meanwhile("no dialect"))
    assert made.observed is None
    assert Evidence(made).observed.frames == 100


def onlookers():
    return [one.name for one in threading.enumerate() if one.name.startswith("ixy-meanwhile")]


def held(folder):
    """Files below a folder that this process has open, those without a name included."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if str(link.readlink()).startswith(str(folder))]


def noisy():
    """A capture that no window or buffer on the way can hold."""
    noise = random.Random(1)
    return pcap(packets(ixy_frame(n) + noise.randbytes(1400) for n in range(16_000)))


@needs_root
def test_a_lost_connection_ends_the_pass_and_leaves_nothing(sshd, tmp_path):
    there = make_bundle(tmp_path / "there", noisy())
    (tmp_path / "here").mkdir()
    known, meanwhile = set(sshd.sessions()), Meanwhile(shipped())

    def lose(done):
        meanwhile.grew(done)
        if mine := set(sshd.sessions()) - known:
            assert onlookers()
            os.kill(mine.pop(), signal.SIGKILL)
            until(lambda: not set(sshd.sessions()) - known)

    told = {"progress": lose, "begun": meanwhile.begin}
    with sshd.connect() as own, pytest.raises(LabError, match="lost node fwd"), meanwhile:
        own.fetch(str(there.capture), tmp_path / "here" / "c.pcap", timeout=60, **told)
    assert meanwhile.observed is None
    assert (onlookers(), held(tmp_path), list((tmp_path / "here").iterdir())) == ([], [], [])


@needs_root
def test_an_interrupt_ends_the_pass_and_leaves_nothing(host, tmp_path):
    there = make_bundle(tmp_path / "there", noisy())
    (tmp_path / "here").mkdir()
    meanwhile = Meanwhile(shipped())

    def interrupt(done):
        raise KeyboardInterrupt

    told = {"progress": interrupt, "begun": meanwhile.begin}
    with pytest.raises(KeyboardInterrupt), meanwhile:
        host.fetch(str(there.capture), tmp_path / "here" / "c.pcap", timeout=60, **told)
    assert meanwhile.observed is None
    assert (onlookers(), held(tmp_path), list((tmp_path / "here").iterdir())) == ([], [], [])


@needs_root
def test_where_there_is_no_capture_nothing_is_looked_at(host, tmp_path):
    meanwhile = Meanwhile(shipped())
    told = {"progress": meanwhile.grew, "begun": meanwhile.begin}
    with pytest.raises(RemoteFileMissing), meanwhile:
        host.fetch(str(tmp_path / "none"), tmp_path / "here", timeout=30, **told)
    assert (meanwhile.observed, onlookers()) == (None, [])


@pytest.fixture
def growing(tmp_path):
    """A file of 1000 bytes, none of which has been announced."""
    (tmp_path / "file").write_bytes(bytes(range(100)) * 10)
    with Growing(tmp_path / "file", 1000) as file, ThreadPoolExecutor(1) as pool:
        yield file, lambda at, size: pool.submit(read, file, at, size)
        file.give_up()


def read(file, at, size):
    room = bytearray(size)
    return bytes(room[: file.read(memoryview(room), at)])


def waits(file, future):
    """True when the read has begun to wait."""
    return until(lambda: file._awaited) and not future.done()


def test_who_reads_waits_for_all_that_is_wanted(growing):
    file, ask = growing
    asked = ask(300, 200)
    assert waits(file, asked)
    file.grew(499)
    assert waits(file, asked)
    file.grew(500)
    assert asked.result(30) == bytes(range(100)) * 2
    assert file.passed == 500


def test_who_reads_beyond_the_end_gets_what_there_is(growing):
    file, ask = growing
    asked = ask(950, 200)
    assert waits(file, asked)
    file.grew(1000)
    assert asked.result(30) == bytes(range(50, 100))
    assert ask(1000, 10).result(30) == ask(5000, 10).result(30) == b""


def test_who_reads_ends_when_the_writer_gives_up(growing):
    file, ask = growing
    asked = ask(0, 10)
    assert waits(file, asked)
    file.give_up()
    with pytest.raises(GivenUpError):
        asked.result(30)
    file.grew(1000)
    with pytest.raises(GivenUpError):
        ask(0, 10).result(30)


def test_a_renamed_file_can_still_be_read(growing, tmp_path):
    file, ask = growing
    (tmp_path / "file").rename(tmp_path / "capture.pcap")
    file.grew(1000)
    assert ask(0, 100).result(30) == bytes(range(100))
