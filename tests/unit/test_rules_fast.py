"""The fast ways through a capture and the general one show the same, whatever the capture holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from captures import (
    HEAD,
    Packet,
    arp_frame,
    enhanced,
    interface,
    ixy_frame,
    option,
    packets,
    pcap,
    pcapng,
    section,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.capture import CaptureFlaw, blocks, runs, window
from pytest_ixy.capture import pcap as classic
from pytest_ixy.capture import pcapng as sections
from pytest_ixy.capture.stored import Stored
from pytest_ixy.dialect import shipped
from pytest_ixy.rules.kernel.layout import Layout
from pytest_ixy.rules.kernel.observed import observe
from pytest_ixy.rules.kernel.plain import Plain

WINDOW = 1 << 19


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(window, "SIZE", WINDOW)


def shown(path):
    fields = dict(vars(observe(path, shipped())))
    seen = fields["seen"]
    runs = seen.missing(0, seen.highest or 0), seen.again()
    return {**fields, "flaw": str(fields["flaw"]), "seen": runs}


def records(path):
    """Bytes, length on the wire and time of all records, and the flaw; every claim of `rows` is checked."""
    found = []
    try:
        for block in blocks(path):
            found += of_block(block)
            if block.rows:
                check_rows(block, found[-block.count :])
    except CaptureFlaw as flaw:
        return found, str(flaw)
    return found, ""


def of_block(block):
    frames = block.frames
    assert block.ends == (frames.time[0], frames.time[-1])
    lengths = zip(frames.original.tolist(), frames.time.tolist(), strict=True)
    return [(block.frame(row), *both) for row, both in enumerate(lengths)]


def check_rows(block, found):
    rows = block.rows
    which = rows.which.tolist()
    assert sorted([*which, *rows.others.tolist()]) == list(range(block.count))
    width = rows.data.shape[1]
    assert [data.tobytes() for data in rows.data] == [found[row][0][:width] for row in which]
    either, both = np.bitwise_or.reduce(rows.data), np.bitwise_and.reduce(rows.data)
    assert (rows.varying == either ^ both).all()
    lengths = {(len(found[row][0]), found[row][1]) for row in which}
    assert rows.lengths == (lengths.pop() if len(lengths) == 1 else None)


def slowly(monkeypatch):
    """Take every fast way away: follow the records one by one, look at every frame."""
    monkeypatch.setattr(classic, "uniform", lambda *_: None)
    monkeypatch.setattr(classic, "leap", lambda *_: None)
    monkeypatch.setattr(classic, "lanes", lambda window, _: (np.empty(0, np.int64), window.position))
    monkeypatch.setattr(sections, "even", lambda *_: None)
    monkeypatch.setattr(Plain, "of", classmethod(lambda *_: None))


def agree(path):
    """What is shown, after making sure that the slow way shows the same."""
    fast, seen = records(path), shown(path)
    with pytest.MonkeyPatch.context() as patch:
        slowly(patch)
        assert records(path) == fast
        assert shown(path) == seen
    return seen


BAD = [
    arp_frame(),
    arp_frame()[:42],
    ixy_frame(7, size=64),
    ixy_frame(8, size=59),
    ixy_frame(9, size=316),  # its length has the low byte of 60
    ixy_frame(10, magic=b"iyx"),
    ixy_frame(11, udp_length=27),
    ixy_frame(12)[:12] + b"\x81\x00\x00\x05" + ixy_frame(12)[12:],
    ixy_frame(13)[:23] + b"\x06" + ixy_frame(13)[24:],
    HEAD[:13],
    ixy_frame(14)[:14] + b"\x65" + ixy_frame(14)[15:],
    ixy_frame(0xFFFFFFFF),
    ixy_frame(3, size=1514),
    b"",
]
CUT = Packet(ixy_frame(15)[:50], original=60)
LONGER = Packet(ixy_frame(16), original=59)


def mixture(random, count, share):
    """Good packets, a share of them replaced by bad ones or with numbers that came before."""
    made = [ixy_frame(number) for number in range(count)]
    for place in np.flatnonzero(random.random(count) < share).tolist():
        choice = int(random.integers(0, len(BAD) + 3))
        if choice < len(BAD):
            made[place] = BAD[choice]
        else:
            made[place] = made[int(random.integers(0, place + 1))]
    timed = packets(made)
    for place in np.flatnonzero(random.random(count) < share / 20).tolist():
        odd = (CUT, LONGER)[place % 2]
        timed[place] = dataclasses.replace(odd, time=timed[place].time)
    return timed


@pytest.mark.parametrize("write", [pcap, lambda given: pcap(given, order=">", nano=True), pcapng])
@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.1, 0.9])
def test_faulty_captures(tmp_path, write, share):
    data = write(mixture(np.random.default_rng(7), 16_000, share))
    assert len(data) > 2 * WINDOW
    path = tmp_path / "c.pcap"
    path.write_bytes(data)
    seen = agree(path)
    if share != 0.0001:  # one or two, of any kind
        assert bool(seen["repeated"]) == bool(seen["structure"].total) == (share > 0)
    for end in (len(data) - 1, len(data) - 75, WINDOW + 24, WINDOW + 25):
        path.write_bytes(data[:end])
        agree(path)


@pytest.mark.parametrize("bad", range(len(BAD)))
def test_bad_frames_at_the_borders_of_blocks(tmp_path, bad):
    frames = [ixy_frame(number) for number in range(16_000)]
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(packets(frames)))
    borders = [block.first - 1 for block in blocks(path)]
    assert len(borders) >= 3
    for border in borders:
        frames[border] = frames[border - 1] = BAD[bad]
    path.write_bytes(pcap(packets(frames)))
    agree(path)


@pytest.mark.parametrize("step", [1, 1000, 10**9])
def test_every_record_of_another_size(tmp_path, step):
    random = np.random.default_rng(3)
    sizes = (60 + np.cumsum(random.integers(1, 64, 12_000)) % 64).tolist()
    frames = packets((ixy_frame(n, size=size) for n, size in enumerate(sizes)), step=step * 1000)
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(frames))
    seen = agree(path)
    assert (seen["numbered"], seen["size"].total) == (12_000, sum(size != 60 for size in sizes))


def test_lanes_find_all_but_the_last_lane(tmp_path):
    frames = packets(ixy_frame(n, size=60 + n * 7 % 64) for n in range(8000))
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(frames))
    with Stored(path) as file:
        view = window.Window(file)
        view.refill()
        view.position = 24
        found, end = runs.lanes(view, "<")
    places = np.cumsum([24, *(16 + len(packet.data) for packet in frames)])
    assert found.tolist() == places[: found.size].tolist()
    assert end == places[found.size] > 0.9 * WINDOW


def test_records_inside_of_records_deceive_nobody(tmp_path):
    """Frames full of what looks like records, at the places where lanes and runs would begin."""
    inner = pcap(packets(ixy_frame(n) for n in range(300)))[24:]
    random = np.random.default_rng(5)
    frames = []
    for n in range(400):
        frames += [ixy_frame(n), inner[int(random.integers(0, 76)) :][: int(random.integers(1000, 20_000))]]
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(packets(frames)))
    assert agree(path)["frames"] == 800


@pytest.mark.parametrize("place", Layout(shipped()).expected)
def test_any_other_value_of_a_byte_that_is_looked_at(tmp_path, place):
    frames = [bytearray(ixy_frame(n)) for n in range(256 * 3)]
    for n, frame in enumerate(frames):
        frame[place] = n % 256 if n < 512 else frame[place]
    path = tmp_path / "c.pcap"
    path.write_bytes(pcap(packets(map(bytes, frames))))
    agree(path)
    frames = [ixy_frame(n)[:place] + b"\xff" + ixy_frame(n)[place + 1 :] for n in range(200)]
    path.write_bytes(pcap(packets(frames)))
    assert agree(path)["numbered"] == (200 if place in LENGTH else 0)


UNSOUND = {
    "trailing length": lambda data: data[:-4] + b"\x5d\0\0\0",
    "length": lambda data: data[:4] + b"\x5d\0\0\0" + data[8:],
    "captured more than there is": lambda data: data[:20] + b"\x3d\0\0\0" + data[24:],
    "captured less": lambda data: data[:20] + b"\x3b\0\0\0" + data[24:],
    "captured less than is laid side by side": lambda data: data[:20] + b"\x1b\0\0\0" + data[24:],
    "more on the wire": lambda data: data[:24] + b"\x3d\0\0\0" + data[28:],
    "no such interface": lambda data: data[:8] + b"\2\0\0\0" + data[12:],
    "another link type": lambda data: data[:8] + b"\1\0\0\0" + data[12:],
    "obsolete": lambda data: b"\2" + data[1:],
    "an option": lambda data: data[:4] + b"\x64\0\0\0" + data[8:-4] + bytes(8) + b"\x64\0\0\0",
}
"""What a block of 92 bytes is made into."""


@pytest.mark.parametrize("change", UNSOUND)
@pytest.mark.parametrize("which", ["all", "one", "the last"])
def test_blocks_of_one_size_that_are_not_as_they_should_be(tmp_path, change, which):
    found = [enhanced(packet) for packet in packets(map(ixy_frame, range(7000)))]
    assert len(found[0]) == 92
    for place in {"all": range(7000), "one": [5000], "the last": [6999]}[which]:
        found[place] = UNSOUND[change](found[place])
    path = tmp_path / "c.pcapng"
    path.write_bytes(section() + interface() + interface(link=113) + b"".join(found))
    agree(path)


def test_pcapng_of_good_packets_takes_the_fast_way(tmp_path, monkeypatch):
    path = tmp_path / "c.pcapng"
    path.write_bytes(pcapng(packets(map(ixy_frame, range(16_000))), order=">"))
    monkeypatch.setattr(sections._Raw, "gather", None)
    assert shown(path)["numbered"] == 16_000


def padded(data, size):
    """A block of that size with nothing in what is added."""
    total = size.to_bytes(4, "little")
    return data[:4] + total + data[8:-4].ljust(size - 12, b"\0") + total


def test_a_block_of_more_than_half_the_window(tmp_path):
    many = b"".join(enhanced(packet) for packet in packets(map(ixy_frame, range(200))))
    large = padded(enhanced(Packet(ixy_frame(9))), WINDOW * 3 // 5 // 4 * 4)
    path = tmp_path / "c.pcapng"
    for between in (many, many * 20, large):
        path.write_bytes(section() + interface() + (many + large + between) * 6)
        assert agree(path)["flaw"] == "None"


TICKS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 2**33), min_size=1, max_size=100)


@settings(max_examples=150, deadline=None)
@given(
    resolution=st.sampled_from([0, 3, 6, 9, 10, 12, 19, 28, 127, 128, 138, 161, 162, 170, 191, 192, 255]),
    offset=st.sampled_from([0, 1, -1, 2**33, -(2**33), 2**63 - 1, -(2**63)]),
    ticks=TICKS | TICKS.map(sorted),
    order=st.sampled_from("<>"),
)
def test_times_of_any_resolution(tmp_path_factory, resolution, offset, ticks, order):
    options = option(9, bytes([resolution]), order)
    options += option(14, offset.to_bytes(8, "little" if order == "<" else "big", signed=True), order)
    head = section(order) + interface(order=order, options=options)
    path = tmp_path_factory.getbasetemp() / "c.pcapng"
    path.write_bytes(
        head
        + b"".join(enhanced(Packet(ixy_frame(n)), ticks=tick, order=order) for n, tick in enumerate(ticks))
    )
    agree(path)
    for block in blocks(path):
        falls = np.count_nonzero(block.frames.time[1:] < block.frames.time[:-1])
        assert not (block.times.steady() and falls)


LENGTH = (16, 17)
"""Any total length is as good, but only ixy's own takes the fast way."""

FRAME = st.sampled_from(BAD) | st.builds(ixy_frame, st.integers(0, 50))
RUN = st.builds(
    lambda low, count: [ixy_frame(n) for n in range(low, low + count)],
    st.integers(0, 99),
    st.integers(1, 300),
)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(RUN | st.lists(FRAME, max_size=80), max_size=8),
    write=st.sampled_from([pcap, pcapng]),
    changes=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 40),
)
def test_any_capture_and_any_damage(tmp_path_factory, parts, write, changes, cut):
    data = bytearray(write(packets(frame for part in parts for frame in part)))
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "c.pcap"
    path.write_bytes(data[: len(data) - cut])
    agree(path)
