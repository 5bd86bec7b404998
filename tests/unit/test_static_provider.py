"""Provider `static` apart from hosts: what it refuses, what a lost lease does, and its page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_ixy import tomlfile
from pytest_ixy.bundle import ProviderRecord
from pytest_ixy.config import Config, StaticNode, StaticTable
from pytest_ixy.errors import LabError, NotOfferedError, UsageError
from pytest_ixy.providers import registry
from pytest_ixy.providers.base import Testbed
from pytest_ixy.providers.static.answers import Nic, Taken
from pytest_ixy.providers.static.provider import Static, _found
from pytest_ixy.providers.static.tenancy import purpose
from pytest_ixy.settings import resolve
from pytest_ixy.topology import PciAddresses, forward_topology

PAGE = Path(__file__).parents[2] / "docs" / "providers" / "static.md"
TOPOLOGY = forward_topology(PciAddresses())


@pytest.fixture
def provider():
    made = registry.load("static")
    assert isinstance(made, Static)
    return made


@pytest.fixture
def testbed(tmp_path):
    record, lost = ProviderRecord(name="static"), str(tmp_path / "lost")
    return Testbed("run", TOPOLOGY, record, (), {}, private={"lost": lost})


def test_nobody_counts_and_nobody_pulls_cables(provider, testbed):
    provider.begin_traffic(testbed)
    assert provider.counters(testbed) == {}
    with pytest.raises(NotOfferedError, match="cannot take the link"):
        provider.link(testbed, "fwd", 0, up=False)


def test_one_testbed_can_exist_at_once(provider):
    assert provider.capacity(resolve(cli={}, environ={}, ini={})) == 1


def test_once_a_lease_is_lost_no_trial_begins_or_ends_well(provider, testbed):
    Path(testbed.private["lost"]).write_text("node fwd: the lease was lost")
    assert provider.ended(testbed, "fwd") == "node fwd: the lease was lost"
    for ask in (provider.begin_trial, provider.begin_traffic, provider.counters):
        with pytest.raises(LabError, match="node fwd: the lease was lost"):
            ask(testbed)


def test_what_was_never_made_is_unmade_without_errors(provider):
    assert provider.destroy() == []


def test_it_refuses_what_it_cannot_do(provider):
    node = StaticNode(host="localhost")
    asked = resolve(cli={"offline": True}, environ={}, ini={})
    two = StaticNode(host="localhost", nics=["0000:01:00.0", "0000:01:00.1"])
    asked = replace(asked, static=StaticTable(pktgen=node, fwd=two, pcap=node))
    with pytest.raises(UsageError, match="cannot cut hosts off"):
        provider.check(asked)
    with pytest.raises(UsageError, match="is given to pcap and pktgen"):
        provider.check(replace(asked, offline=False))


def taken(**nics):
    """What the hosts answered: all of them one machine."""
    found = {
        name: tuple((pci, Nic(pci, None) if pci else None) for pci in each) for name, each in nics.items()
    }
    return {name: Taken(machine="m", nics=each) for name, each in found.items()}


def test_addresses_are_those_that_the_hosts_tell():
    answers = taken(pcap=["0000:01:00.0"], fwd=["0000:02:00.0", "0000:02:00.1"], pktgen=["0000:03:00.0"])
    made = _found(TOPOLOGY, answers)
    assert [nic.pci for nic in made.node("fwd").nics] == ["0000:02:00.0", "0000:02:00.1"]
    assert made.networks == TOPOLOGY.networks


def test_one_nic_under_two_names_of_a_host_is_refused():
    answers = taken(pcap=["0000:01:00.0"], fwd=["0000:02:00.0", "0000:02:00.1"], pktgen=["0000:02:00.1"])
    with pytest.raises(LabError, match=r"The NIC 0000:02:00.1 is given to fwd and pktgen"):
        _found(TOPOLOGY, answers)


def test_a_nic_that_is_not_there_is_told():
    answers = taken(pcap=["0000:01:00.0"], fwd=["0000:02:00.0", ""], pktgen=["0000:03:00.0"])
    with pytest.raises(LabError, match="The host of fwd has no NIC with the address"):
        _found(TOPOLOGY, answers)


def test_the_nic_that_the_host_is_reached_through_is_refused():
    answers = taken(pcap=["0000:01:00.0"], fwd=["0000:02:00.0", "0000:02:00.1"], pktgen=["0000:03:00.0"])
    answers["fwd"] = replace(answers["fwd"], ways=("0000:02:00.1",))
    with pytest.raises(LabError, match=r"The host of fwd is reached through its NIC 0000:02:00.1"):
        _found(TOPOLOGY, answers)


def test_others_are_told_what_a_run_is_for_but_no_credentials():
    asked = resolve(cli={"repo": "https://anna:secret@example.org/some/ixy"}, environ={}, ini={})
    assert purpose(asked) == "forward of https://***@example.org/some/ixy"
    assert purpose(replace(asked, repo=None)) == "forward"


def test_the_page_shows_a_table_that_is_accepted_and_names_all_keys():
    text = PAGE.read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    static = tomlfile.parse(example.encode(), "the page").check(Config).static
    assert static is not None
    keys = (set(StaticTable.model_fields) | set(StaticNode.model_fields)) - {"pktgen", "fwd", "pcap"}
    assert keys <= set(re.findall(r"`(\w+)`", text))
