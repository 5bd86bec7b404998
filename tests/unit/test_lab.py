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


def test_only_who_is_on_a_node_can_play_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "ixy-ci.toml").write_text('pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n')
    lab = Lab(
        settings=resolve(cli={"role": ["pcap=reference"]}, environ={}, ini={}),
        target=target.fetch("./it", None, tmp_path / "fetched"),
        folder=tmp_path / "bundle",
        scratch=tmp_path,
        provider=registry.load("qemu"),
        provision=nothing,
        renew=nothing,
        progress=Progress(lambda _: None),
    )
    for role, player in (("pcap", "target"), ("pktgen", "owner/name")):
        with pytest.raises(UsageError, match=f"{role} can be played by"):
            lab.run_trial(players={**lab.cast, role: player})
