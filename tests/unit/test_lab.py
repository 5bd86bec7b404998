"""What a lab refuses before it makes anything."""

from __future__ import annotations

import pytest

from pytest_ixy import target
from pytest_ixy.errors import UsageError
from pytest_ixy.lab import Lab
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import resolve


def nothing():
    raise AssertionError("nothing may be provisioned")


def lab_of(tmp_path, monkeypatch, **cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "ixy-ci.toml").write_text('pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n')
    return Lab(
        settings=resolve(cli=cli, environ={}, ini={}),
        target=target.fetch("./it", None, tmp_path / "fetched"),
        folder=tmp_path / "bundle",
        scratch=tmp_path,
        provider=registry.load("qemu"),
        provision=nothing,
        renew=nothing,
        progress=Progress(lambda _: None),
    )


@pytest.mark.parametrize(
    ("cli", "words"),
    [
        ({"scenario": "soak", "role": ["pktgen=reference"]}, "soak has none"),
        ({"gdb": "fwd", "role": ["fwd=reference"]}, "--ixy-gdb=fwd: the reference plays that role"),
    ],
)
def test_what_a_reference_cannot_do_is_told_at_once(tmp_path, monkeypatch, cli, words):
    with pytest.raises(UsageError, match=words):
        lab_of(tmp_path, monkeypatch, **cli)


def test_only_who_is_on_a_node_can_play_there(tmp_path, monkeypatch):
    lab = lab_of(tmp_path, monkeypatch, role=["pcap=reference"])
    for role, player in (("pcap", "target"), ("pktgen", "owner/name")):
        with pytest.raises(UsageError, match=f"{role} can be played by"):
            lab.run_trial(players={**lab.cast, role: player})
