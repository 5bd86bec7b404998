"""Who plays which role, and what the reference sends."""

from __future__ import annotations

import pytest
from captures import ixy_frame

from pytest_ixy import spec
from pytest_ixy.bare import bare
from pytest_ixy.cast import cast, dialect_of, guests, mixed, parse
from pytest_ixy.dialect import Dialect, names, shipped
from pytest_ixy.errors import UsageError
from pytest_ixy.reference.packets import capture
from pytest_ixy.rules import judge

OWN = {"pktgen": "target", "fwd": "target", "pcap": "target"}
ALL = 'pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n'


def of(tmp_path, text, asked=None):
    (tmp_path / "ixy-ci.toml").write_text(text)
    return cast(spec.read(tmp_path, "it@1234567"), "it@1234567", asked or {})


def test_a_target_plays_all_that_it_has(tmp_path):
    assert of(tmp_path, ALL) == OWN


def test_the_reference_plays_what_target_or_user_say(tmp_path):
    without = 'pktgen = "./gen"\nfwd = "./fwd"\n'
    told = {**OWN, "pcap": "reference"}
    assert of(tmp_path, without + '[roles]\npcap = "reference"\n') == told
    assert of(tmp_path, without, {"pcap": "reference"}) == told
    assert of(tmp_path, ALL + '[roles]\npcap = "reference"\n', {"pcap": "target"}) == OWN


def test_a_role_without_a_program_is_told_with_the_way_out(tmp_path):
    with pytest.raises(UsageError) as caught:
        of(tmp_path, 'pktgen = "./gen"\nfwd = "./fwd"\n')
    assert "'pcap' is missing\n  in it@1234567" in str(caught.value)
    assert "--ixy-role=pcap=reference" in str(caught.value)


def test_something_of_the_target_has_to_play(tmp_path):
    with pytest.raises(UsageError, match="nothing of the target to test"):
        of(tmp_path, ALL, dict.fromkeys(OWN, "reference"))


def test_words_of_the_command_line():
    assert parse(["pcap=reference", "fwd=reference", "fwd=target"]) == {"pcap": "reference", "fwd": "target"}


def test_another_repository_is_kept_as_it_is_written():
    texts = ["pktgen=owner/name@v1", "fwd=git@example.org:a/b.git", "pcap=./here"]
    assert parse(texts) == {"pktgen": "owner/name@v1", "fwd": "git@example.org:a/b.git", "pcap": "./here"}
    assert guests({**OWN, "pktgen": "owner/name@v1", "pcap": "reference"}) == {"pktgen": "owner/name@v1"}


def test_who_comes_from_elsewhere_may_play_what_the_target_cannot(tmp_path):
    toml = 'fwd = "./fwd"\n[roles]\npktgen = "owner/name@v1"\npcap = "https://example.org/it"\n'
    assert of(tmp_path, toml) == {
        "pktgen": "owner/name@v1",
        "fwd": "target",
        "pcap": "https://example.org/it",
    }
    assert of(tmp_path, toml, {"pktgen": "./mine"})["pktgen"] == "./mine"


@pytest.mark.parametrize(
    "who",
    [
        *(
            "./other",
            "../other",
            "/etc",
            "~/other",
            "file:///etc",
            "ssh://git@example.org/a/b",
            "git@example.org:a/b",
            "x:y",
            "@main",
        ),
        *("owner", "https://", "ftp://example.org/x", "-o/x", "owner/name\\u0000", ""),
    ],
)
def test_a_target_may_name_nothing_on_this_machine(who, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"ixy-ci.toml:5: .*should"):
        of(tmp_path, ALL + f'[roles]\npktgen = "{who}"\n')


@pytest.mark.parametrize(
    "text", ["pcap", "pcap=", "=reference", "sink=reference", "pcap=tcpdump", "\x1b=\x1b", "sink=a/b"]
)
def test_what_is_not_understood(text):
    with pytest.raises(UsageError, match="ROLE=WHO") as caught:
        parse([text])
    assert "\x1b" not in str(caught.value)


def test_where_the_reference_forwards_nothing_is_touched():
    rust = shipped("rust")
    assert dialect_of(rust, OWN) == rust
    assert dialect_of(rust, {**OWN, "fwd": "reference"}).arriving == rust.sent
    assert dialect_of(shipped("python"), {**OWN, "fwd": "reference"}) == shipped("python")


def test_what_is_sent_is_of_one_repository_and_what_is_touched_of_the_other():
    c, rust, default = shipped("c"), shipped("rust"), shipped()
    assert mixed(c, c) is c
    assert mixed(None, None) is None
    assert mixed(rust, c).sent == rust.sent
    assert mixed(rust, c).touched == c.touched
    assert mixed(rust, None).arriving == rust.sent
    assert mixed(None, c).sent == default.sent
    assert mixed(None, c).touched == c.touched


def test_a_change_that_does_not_fit_the_others_packets_is_a_usage_error():
    number = shipped().number
    touching = Dialect.model_validate(
        {**shipped("c").model_dump(), "number": None, "touched": [{"at": number.at, "add": 1}]}
    )
    with pytest.raises(UsageError, match="does not fit the packets"):
        mixed(shipped("rust"), touching)


def test_what_the_reference_sends_is_ixys_packet():
    data = capture(shipped(), 3)
    assert len(data) == 24 + 3 * 76
    assert [data[24 + 76 * n + 16 :][:60] for n in range(3)] == [ixy_frame(n) for n in range(3)]


@pytest.mark.parametrize("name", names())
def test_what_the_reference_sends_is_right_in_every_dialect(name, tmp_path):
    dialect = dialect_of(shipped(name), {**OWN, "fwd": "reference"})
    (tmp_path / "sent.pcap").write_bytes(capture(dialect, 300))
    made = bare(tmp_path / "sent.pcap", 300)
    made.manifest = made.manifest.model_copy(update={"dialect": dialect})
    found = {finding.rule: finding for finding in judge(made)}
    broken = {
        rule: finding.title for rule, finding in found.items() if finding.outcome in {"failed", "reported"}
    }
    assert not broken
    assert found["payload"].outcome == found["count"].outcome == "passed"
