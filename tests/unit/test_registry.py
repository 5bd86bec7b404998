"""Providers by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from pytest_ixy.errors import UsageError
from pytest_ixy.providers import registry
from pytest_ixy.providers.qemu.provider import Qemu


def test_the_built_in_one_is_found():
    assert isinstance(registry.load("qemu"), Qemu)


def test_those_that_come_along_can_all_be_loaded():
    assert {entry.name: type(registry.load(entry.name)).__name__ for entry in registry.BUILT_IN} == {
        "qemu": "Qemu",
        "static": "Static",
        "openstack": "OpenStack",
    }


def test_each_loading_makes_one_of_its_own():
    assert registry.load("qemu") is not registry.load("qemu")


@pytest.mark.parametrize(
    ("name", "words"), [("quemu", "did you mean 'qemu'"), ("vmware", "known: openstack, qemu, static")]
)
def test_an_unknown_name_is_answered_with_the_nearest_or_all(name, words):
    with pytest.raises(UsageError, match=f"no provider '{name}'; {words}"):
        registry.load(name)


def test_another_distribution_adds_one_but_does_not_replace_ours(monkeypatch):
    foreign = [EntryPoint(name, "types:SimpleNamespace", registry.GROUP) for name in ("mine", "qemu")]
    monkeypatch.setattr(registry, "entry_points", lambda group: foreign if group == registry.GROUP else [])
    assert type(registry.load("mine")).__name__ == "SimpleNamespace"
    assert isinstance(registry.load("qemu"), Qemu)


def test_one_that_cannot_be_loaded_is_named(monkeypatch):
    broken = [EntryPoint("mine", "does_not_exist:Provider", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: broken)
    with pytest.raises(UsageError, match="the provider 'mine' cannot be used: ModuleNotFoundError"):
        registry.load("mine")
