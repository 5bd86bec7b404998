"""Every shipped dialect: its own packets pass by it, and the guess names it; and what else a guess says."""

from __future__ import annotations

import json
import random

import pytest
from captures import Packet, arp_frame, ixy_frame, packets, pcap
from dialects import capture_of, frame_of

from pytest_ixy import cli, sample
from pytest_ixy.bare import open_any
from pytest_ixy.dialect import Dialect, names, shipped
from pytest_ixy.guess import guess
from pytest_ixy.rules import judge
from pytest_ixy.terms import Terms

ALL = [shipped(name) for name in names()]
FAMILY = {"ixy-ci", "c", "rust", "rust-2019", "cpp", "go", "csharp", "java", "ocaml", "haskell", "swift"}
FAMILY |= {"javascript", "python"}
PACKETS = 300


@pytest.fixture
def asked(tmp_path):
    """The guess about a capture of these bytes."""

    def ask(data, dialects=ALL):
        (tmp_path / "c.pcap").write_bytes(data)
        return guess(tmp_path / "c.pcap", dialects)

    return ask


def proposed(found):
    return [dialect.name for dialect in found.proposed]


def reasons(found, name):
    (fit,) = [fit for fit in found.ranking if fit.dialect.name == name]
    return "; ".join(fit.reasons)


def sent_by(dialect, count=PACKETS):
    return range(dialect.first, dialect.first + count)


def test_the_whole_family_ships():
    assert set(names()) == FAMILY


@pytest.mark.parametrize("dialect", ALL, ids=names())
def test_a_dialects_own_packets_pass_by_it(dialect, tmp_path):
    (tmp_path / "c.pcap").write_bytes(capture_of(dialect, sent_by(dialect)))
    bundle = open_any(tmp_path / "c.pcap", PACKETS, Terms(dialect))
    found = {finding.rule: finding for finding in judge(bundle)}
    assert not [finding for finding in found.values() if finding.failed]
    about_numbers = "passed" if dialect.number else "skipped"
    assert (found["size"].outcome, found["structure"].outcome, found["count"].outcome) == ("passed",) * 3
    assert found["sequence-bounds"].outcome == found["duplicates"].outcome == about_numbers


@pytest.mark.parametrize("dialect", ALL, ids=names())
def test_the_guess_names_the_dialect_whose_packets_it_sees(dialect, asked):
    found = asked(capture_of(dialect, sent_by(dialect)))
    assert proposed(found) == [dialect.name]
    assert (found.frames, found.packets) == (PACKETS, PACKETS)
    assert {fit.dialect.name for fit in found.ranking} == FAMILY


@pytest.mark.parametrize("dialect", ALL, ids=names())
def test_loss_duplicates_reordering_and_foreign_frames_do_not_mislead(dialect, asked):
    chance = random.Random(dialect.name)
    numbers = [number for number in sent_by(dialect, 2000) if chance.random() < 0.7]
    numbers += chance.sample(numbers, 50)
    numbers.sort(key=lambda number: number + chance.random() * 8)
    frames = [frame_of(dialect, number) for number in numbers]
    frames += [arp_frame()] * 500
    chance.shuffle(frames[-600:])
    assert proposed(asked(pcap(packets(frames)))) == [dialect.name]


def test_packets_that_come_twice_each_do_not_mislead(asked):
    numbers = [number // 2 for number in range(600)]
    assert proposed(asked(capture_of(shipped("c"), numbers))) == ["c"]


def test_the_reasons_are_in_words(asked):
    numbers = [*range(500), *range(501, 1001)]
    found = asked(capture_of(shipped("c"), numbers))
    said = reasons(found, "c")
    assert "all 1,000 packets have 60 bytes" in said
    assert "byte 1 is 03 as fwd leaves it" in said
    assert "numbers (32 bits at 56, little-endian) rise by one in 99.8 %" in said
    assert reasons(found, "haskell") == "bytes 0-1 are 01 03, not 02 02 as fwd would leave it"
    assert "numbers (32 bits at 56, big-endian) jump about" in reasons(found, "go")
    assert "no packet has UDP length 26 and a payload that starts with ixy.ml" in reasons(found, "ocaml")


def test_a_forwarder_that_touches_nothing_is_told_of_each_that_should(asked):
    found = asked(pcap(packets(map(ixy_frame, range(100)))))
    assert proposed(found) == ["ixy-ci"]
    assert reasons(found, "c") == "byte 1 is 02, not 03: fwd did not touch it"
    assert reasons(found, "rust-2019") == "byte 48 is 00, not 01: fwd did not touch it"


def test_packets_of_another_size_fit_none(asked):
    found = asked(pcap(packets(ixy_frame(number, size=70) for number in range(100))))
    assert proposed(found) == []
    assert reasons(found, "ixy-ci") == "all 100 packets have 70 bytes, not 60"


def test_bytes_that_vary_are_told_with_how_often(asked):
    fewer = [
        ixy_frame(number)[:1] + bytes([3 - number % 3 // 2]) + ixy_frame(number)[2:] for number in range(99)
    ]
    assert reasons(asked(pcap(packets(fewer))), "c") == "byte 1 is 03 in 66.6 % only"


def renamed(dialect, name):
    return Dialect.model_validate({**dialect.model_dump(), "name": name})


def test_a_tie_is_a_tie(asked):
    twins = [shipped("c"), renamed(shipped("c"), "twin"), shipped()]
    assert proposed(asked(capture_of(shipped("c"), range(100)), twins)) == ["c", "twin"]


def test_what_is_no_udp_packet_tells_nothing(asked):
    found = asked(pcap(packets([arp_frame()] * 7)))
    assert (found.frames, found.packets, found.ranking, proposed(found)) == (7, 0, [], [])
    assert asked(pcap([])).frames == 0


def test_a_single_packet_and_cut_ones_are_compared_as_far_as_they_go(asked):
    assert proposed(asked(capture_of(shipped("go"), [0]))) == ["go"]
    cut = [Packet(frame_of(shipped("rust"), number)[:50], number, 60) for number in range(20)]
    assert proposed(asked(pcap(cut))) == ["rust"]


def test_what_comes_before_a_cut_is_looked_at(asked):
    assert proposed(asked(capture_of(shipped("swift"), range(50))[:-5])) == ["swift"]


def test_the_sample_is_bounded_and_reaches_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "HEAD", 1000)
    monkeypatch.setattr(sample, "RUN", 10)
    monkeypatch.setattr(sample, "RUNS", 3)
    last = 700_000
    (tmp_path / "c.pcap").write_bytes(capture_of(shipped("c"), range(last)))
    found = sample.sample(tmp_path / "c.pcap", 60)
    numbers = found.data[:, 56:60].copy().view("<u4")[:, 0]
    assert numbers[:1000].tolist() == list(range(1000))
    assert numbers[-1] == last - 1
    assert 1000 + 2 * 10 <= found.frames == numbers.size <= 1000 + 4 * 10
    assert ((numbers[1:] - numbers[:-1] == 1) == found.follows[1:]).mean() > 0.99


# as its users see it


def test_the_command_proposes_and_judges_nothing(tmp_path, capsys):
    path = tmp_path / "a b.pcap"
    path.write_bytes(capture_of(shipped("rust"), [0, 0, 7]))
    assert cli.main(["judge", "--guess", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: rust"
    assert lines[2].startswith("  fits rust ")
    assert lines[-2:] == [
        f"to judge by it:  pytest-ixy judge --dialect rust '{path}'",
        'to declare it:   dialect.name = "rust" at the top of ixy-ci.toml',
    ]


def test_the_command_in_json(tmp_path, capsys):
    (tmp_path / "c").write_bytes(capture_of(shipped("go"), range(50)))
    (tmp_path / "d").write_bytes(pcap(packets([arp_frame()])))
    assert cli.main(["judge", "--guess", "--json", str(tmp_path / "c"), str(tmp_path / "d")]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["proposed"], first["packets"], first["problem"]) == (["go"], 50, None)
    best = first["ranking"][0]
    assert (best["dialect"], best["fits"]) == ("go", True)
    assert best["shares"] == {"size": 1, "structure": 1, "bytes": 1, "numbers": 1}
    assert second["proposed"] == second["ranking"] == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pcap(packets(ixy_frame(number, size=70) for number in range(9))), "none fits"),
        (pcap(packets([arp_frame()])), "0 UDP packets in a sample of 1 frame"),
        (capture_of(shipped(), range(9)), "nothing has to be declared"),
    ],
)
def test_the_command_says_when_there_is_nothing_to_declare(data, words, tmp_path, capsys):
    (tmp_path / "c").write_bytes(data)
    assert cli.main(["judge", "--guess", str(tmp_path / "c")]) == 0
    assert words in capsys.readouterr().out


def test_what_cannot_be_read_is_status_2(tmp_path, capsys):
    (tmp_path / "x").write_bytes(b"no capture at all")
    assert cli.main(["judge", "--guess", str(tmp_path / "x"), str(tmp_path / "gone")]) == 2
    said = capsys.readouterr().out
    assert "is not a capture" in said
    assert "does not exist" in said
