"""Hypothesis strategies for frames, records and captures: mostly ixy's, and whatever else may stand there."""

from __future__ import annotations

import struct

import captures
from captures import Packet, arp_frame, ixy_frame
from formats import FORMATS
from hypothesis import strategies as st

TAG_TYPES = st.sampled_from([b"\x81\x00", b"\x88\xa8", b"\x91\x00"])
EXTENSIONS = st.sampled_from([0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254])
PROTOCOLS = st.one_of(st.sampled_from([17, 6, 1, 58]), st.integers(0, 255))
LENGTHS = st.one_of(st.integers(0, 80), st.sampled_from([120, 512, 600, 1514, 9000]))

numbers = st.one_of(
    st.integers(0, 12),
    st.integers(0, 40),
    st.sampled_from([0xFF, 0x100, 0xFFFF, 2**31, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
)


@st.composite
def udp(draw) -> bytes:
    """A UDP header and what follows, most often ixy's."""
    frame = ixy_frame(draw(numbers), magic=draw(st.sampled_from([b"ixy", b"ixy", b"ixz", b"xyi", b""])))
    length = draw(st.sampled_from([26, 26, 26, 25, 27, 0x1A00, 8, 0]))
    return frame[34:38] + struct.pack(">H", length) + frame[40:]


@st.composite
def tcp(draw) -> bytes:
    offset = draw(st.one_of(st.just(5), st.integers(0, 15))) << 4
    return bytes(12) + bytes([offset]) + bytes(7) + draw(st.sampled_from([b"", bytes(1), bytes(40)]))


@st.composite
def transport(draw) -> tuple[int, bytes]:
    """A protocol and what it carries, which need not fit together."""
    anything = st.one_of(udp(), tcp(), st.binary(max_size=60))
    fitting = st.one_of(st.tuples(st.just(17), udp()), st.tuples(st.just(6), tcp()))
    return draw(st.one_of(fitting, st.tuples(PROTOCOLS, anything)))


@st.composite
def ipv4(draw) -> bytes:
    protocol, carried = draw(transport())
    words = draw(st.one_of(st.just(5), st.integers(0, 15)))
    version = draw(st.sampled_from([4, 4, 4, 4, 6, 0, 5]))
    options = bytes(max(0, words - 5) * 4)
    honest = 20 + len(options) + len(carried)
    total = draw(st.one_of(st.just(honest), st.integers(0, 70), st.integers(0, 0xFFFF)))
    fragment = draw(st.sampled_from([0, 0x4000, 0x2000, 0x0001, 0x3FFF]))
    head = struct.pack(">BBHHHBBHII", version << 4 | words, 0, total, 7, fragment, 64, protocol, 0, 1, 2)
    return head + options + carried


@st.composite
def ipv6(draw) -> bytes:
    protocol, carried = draw(transport())
    chain = draw(st.one_of(st.just([]), st.lists(EXTENSIONS, max_size=3), st.lists(EXTENSIONS, max_size=14)))
    heads = b""
    for kind, following in zip(chain, [*chain, protocol][1:], strict=True):
        words = draw(st.sampled_from([0, 0, 0, 1, 5, 70]))
        size = 8 if kind == 44 else (words + 1) * 8
        heads += bytes([following, words]).ljust(size, b"\0")
    version = draw(st.sampled_from([0x60, 0x60, 0x60, 0x40]))
    first = chain[0] if chain else protocol
    return bytes([version, 0, 0, 0, 0, 0, first, 64]) + bytes(32) + heads + carried


@st.composite
def ethernet(draw) -> bytes:
    kind, packet = draw(
        st.one_of(
            st.tuples(st.just(b"\x08\x00"), ipv4()),
            st.tuples(st.just(b"\x86\xdd"), ipv6()),
            st.tuples(st.binary(min_size=2, max_size=2), st.binary(max_size=60)),
        )
    )
    tags = draw(st.lists(TAG_TYPES, max_size=3))
    return bytes(12) + b"".join(tag + b"\0\5" for tag in tags) + kind + packet


@st.composite
def spoiled(draw) -> bytes:
    """ixy's packet with one byte changed."""
    frame = bytearray(ixy_frame(draw(numbers)))
    frame[draw(st.integers(0, 59))] ^= draw(st.integers(1, 255))
    return bytes(frame)


frames = st.one_of(
    st.builds(ixy_frame, numbers),
    st.builds(ixy_frame, numbers),
    spoiled(),
    ethernet(),
    ethernet(),
    st.builds(ixy_frame, numbers, size=LENGTHS),
    st.just(arp_frame()),
    st.binary(max_size=80),
)


@st.composite
def records(draw) -> Packet:
    """A frame as it was captured: whole, cut with or without saying so, or with an impossible length."""
    data = draw(frames)
    kept = draw(st.one_of(st.just(len(data)), st.just(len(data)), st.integers(0, len(data))))
    original = draw(st.one_of(st.none(), st.just(len(data)), st.just(60), st.integers(0, 2000)))
    return Packet(data[:kept], draw(st.integers(0, 10**15)), original)


@st.composite
def files(draw) -> bytes:
    """A capture in any format."""
    found = draw(st.lists(records(), max_size=12))
    return draw(st.sampled_from(FORMATS)).file(found)


@st.composite
def sections(draw) -> bytes:
    """A pcapng file with all that it may hold: several sections, interfaces, and kinds of blocks."""
    return b"".join(draw(st.lists(_section(), min_size=1, max_size=3)))


@st.composite
def _section(draw) -> bytes:
    order = draw(st.sampled_from("<>"))
    parts = draw(st.lists(_block(order), max_size=8))
    described = [captures.interface(order=order, snap=draw(st.sampled_from([0, 50, 65535])))]
    return captures.section(order) + b"".join(described[: draw(st.sampled_from([1, 1, 1, 0]))] + parts)


@st.composite
def _block(draw, order: str) -> bytes:
    packet, which = draw(records()), draw(st.sampled_from([0, 0, 0, 0, 1]))
    kind = draw(st.sampled_from(["enhanced", "enhanced", "simple", "obsolete", "interface", "other"]))
    if kind == "interface":
        options = draw(st.sampled_from([b"", captures.option(9, b"\x09", order), captures.option(1, b"abc")]))
        return captures.interface(order=order, link=draw(st.sampled_from([1, 1, 1, 113])), options=options)
    if kind == "other":
        return captures.block(draw(st.integers(4, 5)), draw(st.binary(max_size=40)), order)
    if kind == "simple":
        return captures.simple(packet, order=order)
    write = captures.enhanced if kind == "enhanced" else captures.obsolete
    return write(packet, which=which, order=order)


@st.composite
def damaged(draw, whole: st.SearchStrategy[bytes]) -> bytes:
    """One of those files with some bytes changed, taken out or put in, or its end cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["set", "set", "set", "flip", "cut", "remove", "insert"]))
        if how == "cut":
            del data[at:]
        elif how == "remove":
            del data[at : at + draw(st.integers(1, 20))]
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=20))
        elif at < len(data):
            data[at] = draw(st.integers(0, 255)) if how == "set" else data[at] ^ 1 << draw(st.integers(0, 7))
    return bytes(data)
