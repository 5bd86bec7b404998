"""Each fault of a capture is found by the rules that have to find it, and by no other."""

from __future__ import annotations

from dataclasses import dataclass

import captures
import faults
import pytest
from amount import examples
from bench import NAMES, OF_CAPTURE, Bench
from faults import Fault
from formats import FORMATS, Format
from hypothesis import given
from hypothesis import strategies as st

COUNT = 100
MIDDLE, LAST = 40, COUNT - 1

BOUNDS, STAMPS = frozenset({"sequence-bounds"}), frozenset({"timestamps"})
OF_FRAMES = frozenset({"fresh", "payload", "order", "loss", "checksum", "timestamps", "foreign"})
OF_PACKETS = frozenset({"sequence-bounds", "duplicates", "size", "structure"}) | OF_FRAMES
EVERYTHING_BEHIND = frozenset({"complete", "count", "sequence-bounds"})


@dataclass(frozen=True)
class Row:
    """One fault and what it has to lead to.

    Attributes:
        name: For people.
        fault: Injects it.
        fails: Rules that fail, wherever the fault is; those in neither set pass.
        last: Rules that fail besides where it hits the packet with the highest number, which is the last.
        inside: Rules that fail besides where it does not.
        skips: Rules that cannot judge.
        reach: How many packets the fault hits, from its place on.
        padded: What fails instead in a format that pads records and tells their length besides (pcapng).
        anywhere: False where it depends on the place what happens, for a reason that stands beside the row.
    """

    name: str
    fault: Fault
    fails: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    skips: frozenset[str] = frozenset()
    reach: int = 1
    padded: frozenset[str] | None = None
    anywhere: bool = True

    def outcomes(self, at: int, count: int, form: Format) -> dict[str, str]:
        fails = self.fails if self.padded is None or not form.slack else self.padded
        fails |= self.last if at + self.reach >= count else self.inside
        skips = dict.fromkeys(self.skips, "skipped")
        return {**dict.fromkeys(NAMES, "passed"), **dict.fromkeys(fails, "failed"), **skips}


def row(name: str, fault: Fault, fails: str = "", **more) -> Row:
    return Row(name, fault, frozenset(fails.split()), **more)


MDNS = captures.ixy_frame(7, udp_length=86).ljust(120, b"m")
STP = bytes.fromhex("0180c2000000 101010101010 0026 424203").ljust(60, b"\0")
NEIGHBOUR = bytes.fromhex("333300000001 101010101010 86dd 6000000000203aff") + bytes(64)
LISTENER = bytes.fromhex("333300000016 101010101010 86dd 6000000000240001") + bytes(32) + b"\x3a" + bytes(35)
JUMBO = captures.HEAD[:23] + b"\x01" + bytes(8_976)

TABLE = (
    row("lose one", faults.lose(), "count", last=BOUNDS),
    row("lose a burst", faults.lose(10), "count", last=BOUNDS, reach=10),
    row("lose the rest", faults.lose_the_rest(), "count sequence-bounds"),
    row("duplicate at once", faults.duplicate(0), "count duplicates"),
    row("duplicate near", faults.duplicate(3), "count duplicates"),
    row("duplicate far", faults.duplicate(50), "count duplicates"),
    row("the one before again in its place", faults.overwrite(1), "duplicates", last=BOUNDS),
    # in the first half, which is where it is put, the other one comes too early, and not too late again
    row("one from far off in its place", faults.overwrite(50), "duplicates order", anywhere=False),
    row("swap neighbours", faults.swap(1), "order"),  # ixy-ci does not ask for an order
    row("swap far ones", faults.swap(50), "order"),
    row("reverse", faults.of_order(lambda found, _at: found[::-1]), "order"),
    row("stamp backwards", faults.stamp(-1_000_000_000), "timestamps"),
    row("stamp forwards", faults.stamp(3_600_000_000_000), inside=STAMPS),  # the next one is earlier
    # stale packets
    row("stale prefix", faults.stale(5), "count duplicates"),
    row("stale prefix, pcap full too early", faults.stale(5, pushed_out=True), "duplicates sequence-bounds"),
    row("stale prefix of other numbers", faults.stale(5, first=150), "count fresh order"),
    row("stale prefix of large numbers", faults.stale(5, first=5_000), "count sequence-bounds fresh"),
    # numbers
    row(
        "numbers wrap at 64",
        faults.of_every_number(lambda number: number % 64),
        "duplicates sequence-bounds fresh",
        anywhere=False,  # in a short trial there are too few behind the restart to tell
    ),
    row(
        "numbers wrap at 2**32",
        faults.of_every_number(lambda number: number - 50),
        "sequence-bounds fresh",
    ),
    row("one number for all", faults.of_every_number(lambda _number: 7), "duplicates sequence-bounds loss"),
    row("numbers from 1", faults.of_every_number(lambda number: number + 1)),  # ixy-ci lets it pass
    # so many may get lost, but hardly so evenly
    row("every second number", faults.of_every_number(lambda number: 2 * number), "loss"),
    row("every third number", faults.of_every_number(lambda number: 3 * number), "sequence-bounds loss"),
    row("big-endian numbers", faults.of_every_number(lambda number: number << 24), "sequence-bounds"),
    row("one big-endian number", faults.swap_number(), "sequence-bounds"),
    # bytes
    row("all bytes one later", faults.shift(1), "count foreign", last=BOUNDS),
    row("all bytes one earlier", faults.shift(-1), "count foreign", last=BOUNDS),
    row("payload one later", faults.shift(1, 42), "structure", last=BOUNDS),
    row("payload one earlier", faults.shift(-1, 42), "structure", last=BOUNDS),
    # the number times 256 is out of bounds, unless it is small
    row("number one later", faults.shift(1, 56), "sequence-bounds", anywhere=False),
    row("number one earlier", faults.shift(-1, 56), "duplicates", last=BOUNDS),
    # etherparse does not compare it
    row("a byte of the payload", faults.put(48, b"\1"), "payload"),
    row("all of the payload but ixy", faults.put(45, b"\xff" * 11), "payload"),
    row("IP addresses swapped", faults.put(26, bytes([10, 0, 0, 2, 10, 0, 0, 1]))),  # the sum is the same
    row("another IP address", faults.put(26, b"\x0b"), "checksum"),
    row("a UDP checksum that is wrong", faults.put(40, b"\x12\x34"), "checksum"),
    row("IP total length too large", faults.put(16, b"\xff\xff"), "checksum"),
    row("IP total length off by one", faults.put(16, b"\0\x2f"), "checksum"),
    row("IP total length below its header", faults.put(16, b"\0\x13"), "count structure", last=BOUNDS),
    row("UDP length one more", faults.put(38, b"\0\x1b"), "structure", last=BOUNDS),
    row("UDP length one less", faults.put(38, b"\0\x19"), "structure", last=BOUNDS),
    row("UDP length little-endian", faults.put(38, b"\x1a\0"), "structure", last=BOUNDS),
    # sizes
    row("padded by one", faults.resize(61), "size"),
    row("padded to 64", faults.resize(64), "size"),
    row("padded to 1514", faults.resize(1514), "size"),
    row("cut by one", faults.resize(59), "size", last=BOUNDS),
    row("cut to 45", faults.resize(45), "size", last=BOUNDS),
    row("cut in 'ixy'", faults.resize(44), "size structure", last=BOUNDS),
    row("cut behind UDP's header", faults.resize(42), "size structure", last=BOUNDS),
    row("cut in UDP's header", faults.resize(41), "count structure", last=BOUNDS),
    row("cut in IP's header", faults.resize(33), "count structure", last=BOUNDS),
    row("cut in Ethernet's header", faults.resize(13), "count structure", last=BOUNDS),
    row("nothing left", faults.resize(0), "count structure", last=BOUNDS),
    row("snapped by one", faults.snap(59), "complete", last=BOUNDS),
    row("snapped in 'ixy'", faults.snap(44), "complete", last=BOUNDS),
    row("snapped in UDP's header", faults.snap(41), "complete count", last=BOUNDS),
    row("snapped to nothing", faults.snap(0), "complete count", last=BOUNDS),
    # lengths in the record
    row("claims one byte more on the wire", faults.claim(original=61), "complete size"),
    row("claims one byte less on the wire", faults.claim(original=59), "complete"),
    row("claims nothing on the wire", faults.claim(original=0), "complete"),
    row("claims 4 GiB on the wire", faults.claim(original=2**32 - 1), "complete size"),
    row("claims 4 GiB captured", faults.claim(captured=2**32 - 1), "complete count sequence-bounds"),
    row("claims more than libpcap's limit", faults.claim(captured=262_145), "complete count sequence-bounds"),
    # what follows is read as a record's header at the wrong place: it depends on the times that stand there
    row(
        "claims one byte more captured",
        faults.claim(captured=61),
        "complete count sequence-bounds size",
        padded=EVERYTHING_BEHIND,
        anywhere=False,
    ),
    row(
        "claims one byte less captured",
        faults.claim(captured=59),
        "complete count sequence-bounds",
        padded=frozenset({"complete"}),
        anywhere=False,
    ),
    # the file
    row("file ends between records", faults.cut_file(0), "count sequence-bounds"),
    row("file ends a byte later", faults.cut_file(1), "complete count sequence-bounds"),
    row("file ends in a record's header", faults.cut_file(15), "complete count sequence-bounds"),
    row("file ends in a frame", faults.cut_file(40), "complete count sequence-bounds"),
    row("file ends a byte early", faults.cut_file(75), "complete count sequence-bounds"),
    row("empty file", faults.cut_head(0), "complete count", skips=OF_PACKETS),
    row("file ends in its magic", faults.cut_head(3), "complete", skips=OF_PACKETS | {"count"}),
    row("file ends in its header", faults.cut_head(20), "complete", skips=OF_PACKETS | {"count"}),
    # foreign frames
    row("ARP", faults.insert(captures.arp_frame()), "foreign"),
    row(
        "ARP as large as a record may be",
        faults.insert(captures.arp_frame().ljust(262_144, b"\0")),
        "foreign",
    ),
    row("ARP without padding", faults.insert(captures.arp_frame()[:42]), "foreign"),
    row("Ethernet's header alone", faults.insert(captures.arp_frame()[:14]), "foreign"),
    row("spanning tree", faults.insert(STP), "foreign"),
    row("neighbour discovery", faults.insert(NEIGHBOUR), "foreign"),
    row("listener report", faults.insert(LISTENER), "foreign"),
    row("jumbo ICMP", faults.insert(JUMBO), "foreign"),
    row("a frame of 13 bytes", faults.insert(bytes(13)), "structure"),
    row("a frame of nothing", faults.insert(b""), "structure"),
    row("other UDP", faults.insert(MDNS), "count size structure"),
    row("other UDP of ixy's size", faults.insert(captures.ixy_frame(7, magic=b"abc")), "count structure"),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_good_capture_passes(bench, form):
    assert bench.outcomes(form.file(faults.good(COUNT)), COUNT) == dict.fromkeys(NAMES, "passed")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_fault(bench, row, form):
    data = row.fault(faults.good(COUNT), MIDDLE, form)
    assert bench.outcomes(data, COUNT) == row.outcomes(MIDDLE, COUNT, form)


@examples(300)
@given(
    row=st.sampled_from([row for row in TABLE if row.anywhere]),
    form=st.sampled_from(FORMATS),
    count=st.integers(80, 150),
    place=st.one_of(st.integers(0, 148), st.just(148)),
)
def test_faults_anywhere(bench, row, form, count, place):
    at = 1 + min(place, count - 2)  # number 0 and an empty capture are cases of their own
    data = row.fault(faults.good(count), at, form)
    assert bench.outcomes(data, count) == row.outcomes(at, count, form)


@examples(100)
@given(
    form=st.sampled_from(FORMATS),
    at=st.integers(0, COUNT - 1),
    which=st.sampled_from(["captured", "original"]),
    length=st.one_of(st.integers(0, 200), st.integers(0, 2**32 - 1)).filter(lambda length: length != 60),
)
def test_no_false_length_goes_unseen(bench, form, at, which, length):
    data = faults.claim(**{which: length})(faults.good(COUNT), at, form)
    assert bench.outcomes(data, COUNT)["complete"] == "failed"


@examples(100)
@given(form=st.sampled_from(FORMATS), data=st.data())
def test_a_cut_file_never_passes(bench, form, data):
    whole = form.file(faults.good(COUNT))
    kept = data.draw(st.integers(0, len(whole) - 1))
    found = bench.outcomes(whole[:kept], COUNT)
    assert "failed" in {found["complete"], found["count"]}


def test_every_rule_is_seen_to_fail_and_to_pass_by_the_table():
    for rule in OF_CAPTURE:
        results = {row.outcomes(MIDDLE, COUNT, FORMATS[0])[rule] for row in TABLE}
        assert results >= {"passed", "failed"}, rule
