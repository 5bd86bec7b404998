"""Several targets: who may name them, and what is said of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ixy.dialect import shipped
from pytest_ixy.errors import UsageError
from pytest_ixy.settings import resolve


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def settle(config=None, **sources):
    cli = dict(sources.get("cli", {}))
    if config is not None:
        Path("config.toml").write_text(config, encoding="utf-8")
        cli["config"] = "config.toml"
    return resolve(cli=cli, environ=sources.get("environ", {}), ini=sources.get("ini", {}))


def named(settings):
    return [(each.repo, each.ref) for each in settings.each]


BOTH = [("o/a", "v1"), ("o/b", None)]


@pytest.mark.parametrize(
    "sources",
    [
        {"cli": {"repo": ["o/a@v1", "o/b"]}},
        {"environ": {"IXY_REPO": "o/a@v1 o/b"}},
        {"environ": {"IXY_REPO": "o/a@v1\n\n  o/b\n"}},
        {"ini": {"repo": ["o/a@v1", "o/b"]}},
        {"config": 'repo = "o/a@v1 o/b"'},
        {"config": "[[targets]]\nrepo = 'o/a'\nref = 'v1'\n[[targets]]\nrepo = 'o/b'\n"},
    ],
)
def test_everybody_can_name_several(sources):
    assert named(settle(**sources)) == BOTH


def test_a_stronger_one_names_all():
    tables = "[[targets]]\nrepo = 'o/a'\n[[targets]]\nrepo = 'o/b'\n"
    assert named(settle(tables, cli={"repo": ["o/c"]})) == [("o/c", None)]
    assert named(settle(tables, environ={"IXY_REPO": "o/c"})) == [("o/c", None)]
    assert settle(tables, environ={"IXY_REPLAY": "b"}).targets == ()


def test_a_folders_name_may_have_blanks_and_an_at(tmp_path):
    for name in ("my driver", "odd@name"):
        (tmp_path / name).mkdir()
    assert named(settle(environ={"IXY_REPO": f"{tmp_path}/my driver"})) == [(f"{tmp_path}/my driver", None)]
    assert named(settle(cli={"repo": ["./my driver", "./odd@name", "./odd@name@v2", "."]})) == [
        (str(tmp_path / "my driver"), None),
        (str(tmp_path / "odd@name"), None),
        (str(tmp_path / "odd@name"), "v2"),
        (str(tmp_path), None),
    ]


def test_of_one_repository_the_version_can_stand_apart():
    assert named(settle(cli={"repo": ["https://host/@a/b"], "ref": "v1"})) == [("https://host/@a/b", "v1")]
    assert settle(cli={"repo": ["git@host:o/a.git@v2"]}).ref == "v2"


def test_each_of_the_tables_has_dialect_and_roles_of_its_own_which_others_overrule(tmp_path):
    config = """
    dialect = "c"
    [[targets]]
    repo = "../a"
    dialect = "rust"
    roles = { pcap = "reference", pktgen = "./other@v1" }
    [[targets]]
    repo = "o/b"
    """
    first, second = settle(config).each
    assert first.repo == f"{tmp_path}/../a"
    assert first.roles == {"pcap": "reference", "pktgen": f"{tmp_path}/other@v1"}
    assert (first.terms.dialect, second.terms.dialect) == (shipped("rust"), shipped("c"))
    assert second.roles == {}
    first, second = settle(config, environ={"IXY_DIALECT": "c", "IXY_ROLE": "pcap=target"}).each
    assert first.terms.dialect == second.terms.dialect == shipped("c")
    assert first.roles["pcap"] == second.roles["pcap"] == "target"
    assert first.roles["pktgen"]


def test_each_target_has_models_of_nics_of_its_own():
    config = "nic = 'igb'\n[[targets]]\nrepo = 'o/a'\nnics = ['virtio', 'e1000']\n[[targets]]\nrepo = 'o/b'\n"

    def models(**sources):
        return [(each.repo, each.nic, each.asked_nic) for each in settle(config, **sources).each]

    assert models() == [("o/a", "virtio", "virtio"), ("o/a", "e1000", "e1000"), ("o/b", "igb", "igb")]
    assert models(cli={"nic": ["vmxnet3"]}) == [(repo, "vmxnet3", "vmxnet3") for repo in ("o/a", "o/b")]
    (alone,) = settle(cli={"repo": ["o/a"]}).each
    assert (alone.nic, alone.asked_nic) == ("virtio", None)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"cli": {"repo": ["o/a", "o/b"], "ref": "v1"}},
            "write each one's behind its name: --ixy-repo=o/a@REF --ixy-repo=o/b@REF",
        ),
        ({"cli": {"repo": ["o/a", ""]}}, "--ixy-repo: is empty"),
        ({"config": "[[targets]]\nref = 'v1'\n"}, "config.toml:1: 'repo' in [targets.0] is missing"),
        ({"config": "[[targets]]\nrepo = 'o/a'\n\nrole = {}\n"}, "config.toml:4: unknown key 'role'"),
        (
            {"config": "[[targets]]\nrepo = 'o/a'\nroles.pcap = 'x'\n"},
            "config.toml:3: roles: 'pcap=x' is not",
        ),
        ({"config": "[[targets]]\nrepo = 'o/a'\ndialect = 'x'\n"}, "config.toml:3: dialect: "),
        ({"config": "[[targets]]\nrepo = ''\n"}, "config.toml:2: repo: is empty"),
        (
            {"config": "repo = 'o/b'\n[[targets]]\nrepo = 'o/a'\n"},
            "config.toml:2: [[targets]] and repo exclude each other",
        ),
        ({"config": "ref = 'v'\n[[targets]]\nrepo = 'o/a'\n"}, "config.toml:1: ref: one version for 1"),
    ],
)
def test_errors_name_who_said_it(sources, message):
    with pytest.raises(UsageError) as caught:
        settle(**sources)
    assert message in str(caught.value)
